"""Imports what the commands import when they run, for the fork server in `forked.py`.

Without OpenTelemetry's SDK for traces, which processes without a collector do not import.
"""

import gc
from importlib import import_module

# Names, as a linter removes imports without a use.
MODULES = (
    "auth.bearer",
    "commands.client.batch_run",
    "commands.client.render_table",
    "commands.client.run",
    "commands.server.interruption",
    "commands.server.serve",
    "commands.server.worker",
    "motor.motor_asyncio",
    "multiprocessing.popen_forkserver",
    "services.backends.remotion_lambda.backend",
    "services.backends.remotion_node.backend",
    "services.backends.text.backend",
    "services.backends.text.font_folder",
    "services.realtime.redis_broker",
    "services.runtime.maintenance",
    "services.storage.s3_storage",
    "services.stores.mongo",
    "services.stores.mongo_outbox",
    "services.stores.sqlite",
    "services.stores.sqlite_outbox",
    "services.webhooks.deliverer",
    "tests.support.forked_command",
    "uvicorn.lifespan.on",
)

for name in MODULES:
    import_module(name)
gc.freeze()  # else the first collection in each forked process copies the memory of all these modules
