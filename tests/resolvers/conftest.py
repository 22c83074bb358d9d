"""Fixtures of a server that the tests of a module share."""

from tests.support.api_site import ann, anonymous, backend, bob, data_dir, site

__all__ = ["ann", "anonymous", "backend", "bob", "data_dir", "site"]
