"""Decides when the previews of a render are made."""

from typing import Final

MIN_INTERVAL_S: Final = 1.0
MAX_PIXELS: Final = 7680 * 4320  # of a frame: decoded, this one takes 133 MB if it is transparent
MAX_CPU_SHARE: Final = 0.02  # of 3 %: the rest is for what is not measured, the file of a frame and the storage


class PreviewSchedule:
    """Previews are due at most once a second, and use at most `MAX_CPU_SHARE` of the render's CPU time.

    All values are in seconds: `now_s` is a monotonic time, `cpu_s` the CPU time of the render until then.
    """

    def __init__(self, *, now_s: float, cpu_s: float) -> None:
        self._due_s = now_s + MIN_INTERVAL_S
        self._due_cpu_s = cpu_s

    def is_due(self, *, now_s: float, cpu_s: float) -> bool:
        """Return whether to make a preview now."""
        return now_s >= self._due_s and cpu_s >= self._due_cpu_s

    def add(self, cost_s: float, *, now_s: float, cpu_s: float) -> None:
        """Set the time of the next preview, after one for which `cost_s` of CPU time was used."""
        self._due_s = now_s + MIN_INTERVAL_S
        self._due_cpu_s = cpu_s + cost_s / MAX_CPU_SHARE
