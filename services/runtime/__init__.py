"""Constructs adapters and services for one process."""
