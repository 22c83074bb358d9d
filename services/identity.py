"""Who calls, as far as the edge needs to know."""

from dataclasses import dataclass
from datetime import datetime

from services.models import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who calls, and until when that holds; for ever if None."""

    caller: Caller
    expires_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it hasn't expired."""
        return self.expires_at is None or now < self.expires_at
