"""The result of authentication."""

from dataclasses import dataclass
from datetime import datetime

from services.models import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The caller, and when the authentication expires; None means never."""

    caller: Caller
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the authentication has not expired."""
        return self.expires_at is None or now < self.expires_at
