"""What all runs of one worker share."""

from dataclasses import dataclass
from datetime import timedelta

from services.clock import RunningTime
from services.observability.metrics import Metrics
from services.ports import Clock, RenderBackend
from services.renders.media_limits import MediaLimits
from services.worker.concurrency_limit import ConcurrencyLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """Limits on the waiting time, on the attempts and on the output of a render.

    `queue_timeout` limits the wait for a first attempt, and for another one after an attempt that found no capacity.
    `max_attempts` counts neither attempts that found no capacity nor those that ended with their process.
    """

    queue_timeout: timedelta
    max_attempts: int
    media: MediaLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The worker's backend, clock, limits and measurements. `lease` is the length of its leases."""

    backend: RenderBackend
    clock: Clock
    metrics: Metrics
    concurrency: ConcurrencyLimit
    limits: RunLimits
    running_time: RunningTime
    lease: timedelta
