"""Adapters of the store ports, each with its outbox: MongoDB and SQLite."""
