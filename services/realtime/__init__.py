"""Realtime updates: the hub, its subscribers, and pub/sub in memory or over Redis."""
