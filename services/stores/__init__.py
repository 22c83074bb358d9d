"""Adapters of the store ports, each with its outbox and its catalogs: MongoDB and SQLite."""
