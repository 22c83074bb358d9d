"""Settings of workers and of the loops that run in the background."""

from datetime import timedelta

from pydantic import Field

from services.settings.base import SettingsGroup, renamed


class WorkerSettings(SettingsGroup):
    """Workers, leases, attempts and intervals."""

    worker_capacity: int | None = Field(
        None,
        ge=1,
        le=5000,
        description="Maximum number of renders that a worker runs concurrently. Default: 25 on Lambda, one per CPU "
        "core for the text renderer.",
    )
    lease_s: float = Field(
        30,
        ge=1,
        le=600,
        description="Time after which a worker loses a render whose lease it does not renew, in seconds.",
    )
    acquire_interval_s: float = Field(
        1,
        gt=0,
        le=60,
        validation_alias=renamed("ACQUIRE_INTERVAL_S", "LOOK_INTERVAL_S"),
        description="Interval at which a worker reads the queue without a notification, in seconds.",
    )
    check_interval_s: float = Field(
        5, gt=0, le=60, description="Interval at which stored state is read for subscribed renders, in seconds."
    )
    max_attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="Maximum number of attempts at a render. Attempts that found no capacity do not count.",
    )
    queue_timeout_s: int = Field(86_400, ge=1, description="Maximum time that a render is queued, in seconds.")

    @property
    def acquire_interval(self) -> timedelta:
        """How often a worker reads the queue without a notification."""
        return timedelta(seconds=self.acquire_interval_s)
