"""Outgoing webhooks (Standard Webhooks 1.0.0): a signed request to a receiver whenever a render ends."""
