"""Contracts between the services and their adapters.

Each adapter is a file or folder under `stores/` or `backends/`. All adapters of a port pass the same contract tests
under `tests/services/`. Adapters raise only the errors named here, never those of a driver.
"""

from services.models.batches import MAX_ADDED as MAX_ADDED
from services.ports.clock import Clock as Clock
from services.ports.render_backend import AttemptFailed as AttemptFailed
from services.ports.render_backend import AttemptFinished as AttemptFinished
from services.ports.render_backend import AttemptMissing as AttemptMissing
from services.ports.render_backend import AttemptProgress as AttemptProgress
from services.ports.render_backend import LaysOutTexts as LaysOutTexts
from services.ports.render_backend import ListsFonts as ListsFonts
from services.ports.render_backend import Observation as Observation
from services.ports.render_backend import RenderBackend as RenderBackend
from services.ports.render_backend import ReportsChanges as ReportsChanges
from services.ports.render_store import MAX_DUE_DELAY as MAX_DUE_DELAY
from services.ports.render_store import MAX_QUEUE_POSITION as MAX_QUEUE_POSITION
from services.ports.render_store import AddManyResult as AddManyResult
from services.ports.render_store import AddOutcome as AddOutcome
from services.ports.render_store import AddResult as AddResult
from services.ports.render_store import ErasedRecords as ErasedRecords
from services.ports.render_store import QueueStats as QueueStats
from services.ports.render_store import RenderStore as RenderStore
from services.ports.webhook_backlog import BacklogStats as BacklogStats
from services.ports.webhook_backlog import WebhookBacklog as WebhookBacklog
