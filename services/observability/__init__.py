"""Metrics, traces, log context and liveness."""
