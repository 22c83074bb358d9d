"""The fixtures of a server that the tests of a module share."""

from tests.support.api_site import ann, backend, bob, data_dir, site, anonymous

__all__ = ["ann", "backend", "bob", "data_dir", "site", "anonymous"]
