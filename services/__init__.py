"""The domain: renders and what becomes of them. Knows no GraphQL and no HTTP."""
