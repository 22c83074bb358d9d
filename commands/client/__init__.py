"""Commands that use a server's API."""
