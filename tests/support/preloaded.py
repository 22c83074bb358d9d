"""Imports what the commands import when they run, for the fork server in `forked.py`."""

import gc

import services.backends.remotion_lambda.backend
import services.backends.remotion_node.backend
import services.backends.text.backend
import services.runtime.maintenance
import services.stores.mongo_outbox
import services.stores.sqlite_outbox
import services.webhooks.deliverer  # noqa: F401

gc.freeze()  # else the first collection in each forked process copies the memory of all these modules
