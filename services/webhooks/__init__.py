"""Outgoing webhooks, as Standard Webhooks 1.0.0 has them: servers learn of the end of renders without a socket."""
