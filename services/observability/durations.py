"""Histograms of durations: of calls to a dependency, and of delays that are reported many at a time."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SHORT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MAX_UNCOUNTED = 500


class CallMetrics:
    """Duration and failures of the calls to one dependency, by operation."""

    def __init__(self, registry: CollectorRegistry, name: str, dependency: str) -> None:
        self._durations = Histogram(
            f"rendercast_{name}_duration_seconds",
            f"Duration of calls to {dependency}, failed ones included.",
            ["operation"],
            buckets=SHORT_BUCKETS_S,
            registry=registry,
        )
        self._failures = Counter(
            f"rendercast_{name}_failures_total",
            f"Calls to {dependency} that failed because it was unavailable.",
            ["operation"],
            registry=registry,
        )

    def of(self, operation: str) -> tuple[Callable[[float], None], Callable[[], None]]:
        """Return two functions for an operation: one reports a call's duration in seconds, one counts a failed call."""
        return self._durations.labels(operation).observe, self._failures.labels(operation).inc


class LagHistogram(Collector):
    """A histogram of short durations, of which several may be reported together.

    Observations are counted in batches: counting each one in between other work took 2 µs per message; a batch costs a
    fraction of that.
    """

    def __init__(self, registry: CollectorRegistry, name: str, documentation: str) -> None:
        self._name, self._documentation = name, documentation
        self._counts = [0] * (len(SHORT_BUCKETS_S) + 1)
        self._sum_s = 0.0
        self._uncounted: list[tuple[datetime, datetime, int]] = []
        registry.register(self)

    def observe(self, start: datetime, end: datetime, times: int) -> None:
        """Report the duration from `start` to `end`, `times` times."""
        self._uncounted.append((start, end, times))
        if len(self._uncounted) >= MAX_UNCOUNTED:
            self._count()

    def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, []
        for start, end, times in uncounted:
            seconds = seconds_between(start, end)
            self._counts[bisect_left(SHORT_BUCKETS_S, seconds)] += times
            self._sum_s += seconds * times

    def collect(self) -> Iterator[Metric]:
        """Yield the current histogram."""
        self._count()
        counts = zip([*map(str, SHORT_BUCKETS_S), "+Inf"], accumulate(self._counts), strict=True)
        yield HistogramMetricFamily(self._name, self._documentation, buckets=list(counts), sum_value=self._sum_s)


def seconds_between(start: datetime, end: datetime) -> float:
    """Return the seconds between two times; 0 instead of a negative number, since two machines' clocks may differ."""
    return max(0.0, (end - start).total_seconds())
