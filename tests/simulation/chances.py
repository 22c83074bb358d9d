"""Random choices of one history. Each kind of disturbance occurs only in some histories, so that they differ."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario

T = TypeVar("T")

ENABLED = 0.3  # the share of the histories in which a kind of disturbance occurs
# Each kind of disturbance, and how often it occurs at most, each time that it can, in a history in which it occurs.
SCENARIOS = {
    Scenario.LOST_LAST_WRITE: 0.6,
    Scenario.NO_POST_RENDER_DATA: 0.5,
    Scenario.EARLY_POST_RENDER_DATA: 0.5,
    Scenario.NO_OUTPUT: 0.4,
    Scenario.FRACTIONAL_NUMBERS: 0.8,
    Scenario.UNKNOWN_FIELDS: 0.8,
    Scenario.CORRUPT_FILE: 0.6,
    Scenario.CHUNK_RETRIED: 0.6,
    Scenario.RENDERERS_THROTTLED: 0.5,
    Scenario.BROWSER_CRASH: 0.6,
    Scenario.DISK_FULL: 0.5,
    Scenario.REACT_ERROR: 0.3,
    Scenario.SITE_UNREACHABLE: 0.3,
    Scenario.CHUNK_HANGS: 0.5,
    Scenario.LAUNCH_DIES: 0.5,
    Scenario.STITCHER_TIMES_OUT: 0.5,
}
START_FAULTS = {
    Fault.THROTTLED: 0.5,
    Fault.SERVICE_ERROR: 0.4,
    Fault.SERVICE_ERROR_LATE: 0.4,
    Fault.SUBNET_FULL: 0.4,
    Fault.REJECTED: 0.2,
    Fault.CRASHED: 0.4,
    Fault.CRASHED_LATE: 0.4,
    Fault.DROPPED: 0.5,
    Fault.HELD: 0.5,
    Fault.EXPIRED_TOKEN: 0.1,
}
OTHERS = {
    "launch delayed": 0.5,
    "launch duplicated": 0.5,
    "launch never delivered": 0.5,
    "webhook early": 0.5,
    "webhook late": 0.5,
    "webhook lost": 1.0,
    "webhook doubled": 0.5,
    "S3 outage": 0.5,
    "S3 slow down": 0.2,
    "S3 conflict": 0.5,
    "S3 response lost": 0.2,
    "store outage": 0.5,
    "store response lost": 0.1,
    "worker crashes": 1.0,
    "machine stalls": 0.02,
    "worker is stopped": 1.0,
    "clock step forwards": 0.5,
    "clock step backwards": 0.5,
    "suspension": 0.5,
    "user cancels": 0.5,
}
Kind = Scenario | Fault | str
# If no others occur, every render completes: in one attempt if they are also `PAINLESS`.
HARMLESS: set[Kind] = {
    Scenario.LOST_LAST_WRITE,
    Scenario.NO_POST_RENDER_DATA,
    Scenario.EARLY_POST_RENDER_DATA,
    Scenario.FRACTIONAL_NUMBERS,
    Scenario.UNKNOWN_FIELDS,
    Scenario.CORRUPT_FILE,
    Scenario.CHUNK_RETRIED,
    Fault.THROTTLED,
    Fault.SUBNET_FULL,
    *(kind for kind in OTHERS if kind.startswith(("webhook", "S3", "store", "clock", "suspension", "user"))),
    "launch duplicated",
    "worker is stopped",
}
PAINLESS = HARMLESS - {"S3 outage", "launch duplicated"}
KINDS = dict[Kind, float]([*SCENARIOS.items(), *START_FAULTS.items(), *OTHERS.items()])


class Chances:
    """The choices of a history with a seed, and a trace of what happened in it.

    The same seed gives the same history as long as the simulated parts ask in the same order. In each history, one
    kind of disturbance, another one for each seed, occurs the first time that it can, and then as often as it may.
    After `quiet` is set, nothing unusual occurs any more.
    """

    def __init__(self, seed: int) -> None:
        self.quiet = False
        self.trace: list[str] = []
        self.seen: set[Kind] = set()
        self.now: Callable[[], float] = float
        self._random = random.Random(seed)  # noqa: S311  # not for secrets
        self._rates = {kind: self._rate(often) for kind, often in KINDS.items()}
        self._main = list(KINDS)[seed % len(KINDS)]
        self._rates[self._main] = KINDS[self._main]

    def log(self, text: str) -> None:
        """Append a line to the trace, with the virtual time."""
        self.trace.append(f"{self.now():9.2f}  {text}")

    def occurs(self, kind: Kind) -> bool:
        """Return whether this kind of disturbance occurs now, and trace it."""
        is_first = kind == self._main and kind not in self.seen
        happens = (self._random.random() < self._rates[kind] or is_first) and not self.quiet
        if happens:
            self.seen.add(kind)
            self.log(f"! {kind if isinstance(kind, str) else kind.name}")
        return happens

    def uniform(self, low: float, high: float) -> float:
        """Return a number of this range."""
        return self._random.uniform(low, high)

    def integer(self, low: int, high: int) -> int:
        """Return a whole number of this range, both ends included. Small ones are more likely than large ones."""
        return self._random.randint(low, self._random.randint(low, high))

    def one_of(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return self._random.choice(values)

    def _rate(self, often: float) -> float:
        return self._random.random() * often if self._random.random() < ENABLED else 0.0
