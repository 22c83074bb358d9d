"""Figures with their spread and their aim: of these, `benchmarks.summary` makes one table, a page and a chart."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import truediv


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A median with its quartiles and the highest value that it should have.

    A ratio to a peer has no unit, the peer's name, and the medians of Rendercast and the peer in `measured_in`.
    """

    group: str
    name: str
    low: float
    median: float
    high: float
    aim: float
    unit: str = ""
    compared_to: str = ""
    own: float | None = None
    peer: float | None = None
    measured_in: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the median, rounded as it is shown, is at most the aim."""
        return round(self.median, 2) <= self.aim

    def row(self) -> str:
        """Return the row of the table, without the group."""
        medians = " | ".join("" if each is None else f"{each:.1f} {self.measured_in}" for each in (self.own, self.peer))
        spread = f"{self.low:.2f} to {self.high:.2f}"
        median, aim = f"{self.median:.2f}{self.unit}", f"{self.aim:g}{self.unit}"
        return f"| {self.name} | {medians} | {median} | {spread} | {aim} | {'yes' if self.is_reached else '**no**'} |"


HEAD = "| | | Rendercast | peer | ratio or value | quartiles | aim | reached |\n|---|---|---:|---:|---:|---:|---:|---|"


def table(figures: Sequence[Figure]) -> str:
    """Return the table in Markdown, with the name of each group in its first row."""
    rows = [
        f"| {group if each is members[0] else ''} {each.row()}"
        for group, members in grouped(figures).items()
        for each in members
    ]
    return "\n".join([HEAD, *rows])


def grouped(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    """Return the figures of each group in their order; the keys name the group and the peer."""
    found: dict[str, list[Figure]] = {}
    for each in figures:
        name = f"{each.group}, to {each.compared_to}" if each.compared_to else each.group
        found.setdefault(name, []).append(each)
    return found


def figure(group: str, name: str, values: Iterable[float], *, aim: float, unit: str = "") -> Figure:
    """Return the figure of these values."""
    low, median, high = statistics.quantiles(values, n=4)
    return Figure(group=group, name=name, low=low, median=median, high=high, aim=aim, unit=unit)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How values of Rendercast are compared with a peer's: `scale` converts them to `measured_in`."""

    group: str
    compared_to: str
    measured_in: str = "µs"
    scale: float = 1e6

    def ratio(self, name: str, own: Sequence[float], peer: Sequence[float], *, aim: float) -> Figure:
        """Return the figure of the ratios of values that were measured in the same turns."""
        low, median, high = statistics.quantiles(map(truediv, own, peer), n=4)
        return Figure(
            group=self.group,
            compared_to=self.compared_to,
            name=name,
            low=low,
            median=median,
            high=high,
            aim=aim,
            own=statistics.median(own) * self.scale,
            peer=statistics.median(peer) * self.scale,
            measured_in=self.measured_in,
        )
