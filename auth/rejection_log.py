"""The log of rejected tokens: why, without the token, and few lines however many tokens are rejected."""

import logging
import time
from collections.abc import Callable

MAX_LINES_PER_WINDOW = 20
WINDOW_S = 60.0

log = logging.getLogger(__name__)


class RejectionLog:
    """Logs each reason once per window of 60 s, and at most 20 reasons: any client can send tokens."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._window_started_s = monotonic()
        self._logged: set[str] = set()
        self._unlogged = 0

    def add(self, reason: str) -> None:
        """Log the reason as a warning, unless it was logged in this window or there were too many."""
        if self._monotonic() - self._window_started_s >= WINDOW_S:
            self._start_window()
        if reason in self._logged:
            return
        if len(self._logged) < MAX_LINES_PER_WINDOW:
            self._logged.add(reason)
            log.warning("a token was rejected: %s", reason)
        else:
            self._unlogged += 1

    def _start_window(self) -> None:
        if self._unlogged:
            log.warning("%d more tokens were rejected for other reasons", self._unlogged)
        self._window_started_s, self._unlogged = self._monotonic(), 0
        self._logged.clear()
