"""Authentication: bearer tokens, their verification, and the issuers' keys."""
