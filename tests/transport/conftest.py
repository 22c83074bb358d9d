"""The fixtures of a server that a whole module's tests share."""

from tests.support.api_site import ann, backend, bob, data_dir, site, stranger

__all__ = ["ann", "backend", "bob", "data_dir", "site", "stranger"]
