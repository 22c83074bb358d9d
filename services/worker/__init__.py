"""The worker: leases queued renders and runs each one to its end."""
