"""Renders: starting, listing, cancelling, their states, quota and input rules."""
