"""Settings of workers and background loops."""

from pydantic import Field

from services.settings.base import SettingsGroup, renamed


class WorkerSettings(SettingsGroup):
    """Workers, leases, attempts and intervals."""

    worker_capacity: int | None = Field(
        None,
        ge=1,
        le=5000,
        description="Maximum number of renders that a worker runs concurrently. Default: 25 on Lambda, one per CPU "
        "core for `text`, one per two cores for `node`.",
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
        description="Interval at which a worker polls the queue if it is not notified, in seconds.",
    )
    check_interval_s: float = Field(
        5, gt=0, le=60, description="Interval at which the stored states of subscribed renders are read, in seconds."
    )
    max_attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="Maximum number of attempts per render. Attempts that found no capacity do not count, nor do the "
        "first 100 that ended with their worker.",
    )
    queue_timeout_s: int = Field(
        86_400,
        ge=1,
        le=31_536_000,
        description="Maximum time that a render waits in the queue while a worker runs, in seconds.",
    )
