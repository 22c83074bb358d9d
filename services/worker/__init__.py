"""The worker: leases unfinished renders and runs each one until it has ended."""
