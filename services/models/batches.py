"""The progress of a batch: all renders of an owner with the same `batch_id`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.models import TERMINAL, Render, RenderStatus

MAX_ADDED = 100  # renders that are started together
MAX_PERCENT_UNFINISHED = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """The renders of a batch by status, at least one.

    `percent` is the mean progress in whole percent, 0 to 100, in which each render that has ended counts as 100. It is
    100 only when all have ended. `failures` are the first renders that FAILED. Two that differ only in the estimate are
    equal.
    """

    batch_id: str
    counts: Mapping[RenderStatus, int]
    percent: int
    failures: tuple[Render, ...]
    estimated_completion_at: datetime | None = field(default=None, compare=False)

    @property
    def total(self) -> int:
        """The number of renders."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """The number of renders that have ended."""
        return sum(self.count(status) for status in TERMINAL)

    @property
    def has_ended(self) -> bool:
        """Whether all renders have ended. More renders can be added at any time."""
        return self.ended == self.total

    def count(self, status: RenderStatus) -> int:
        """Return the number of renders with this status."""
        return self.counts.get(status, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCancellation:
    """Result of cancelling a batch: how many QUEUED renders are cancelled, and how many RENDERING ones will be."""

    cancelled: int
    stopping: int
