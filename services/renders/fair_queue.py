"""The order of the queue: start-time fair queueing (Goyal, Vin and Cheng, 1996, section 2).

Each queued render has two fixed numbers, computed when it is added. Its order key is the later of the queue's virtual
time, which is the highest order key that was acquired so far, and its owner's last finish key. Its finish key is the
order key plus the quotient of its cost and the owner's weight. The paper calls them start tag and finish tag. Renders
are acquired in the order of their order keys, then of their ids. So an owner who was idle starts at the virtual time,
and gains nothing from having been idle; one who was busy alone pays nothing for it, since the virtual time has
followed.

An owner's last finish key is the highest one of its renders that were started or are queued. A render that was
cancelled in the queue is not one of them, but the owner's renders that are queued behind it keep their keys: new ones
would be a write for each. Attempts of one render share its key. Keys are whole numbers of thousandths of a frame at
weight 1, and never reset: 64 bits last for more than 10^10 renders of 10,000 frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.models import Render

START_COST_FRAMES = 30  # of each render: starting the text renderer takes as long as drawing about that many frames
UNITS_PER_FRAME = 1000
MIN_WEIGHT, MAX_WEIGHT = 0.01, 100.0


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """The order key and the finish key of one render."""

    order_key: int
    finish_key: int


def places(
    renders: Sequence[Render], *, weight: float, virtual_time: int, last_finish_key: int | None
) -> list[QueuePlace]:
    """Return the places of one owner's new renders, in their order. Weights out of range count as the nearest one."""
    found: list[QueuePlace] = []
    start = max(virtual_time, last_finish_key or 0)
    for render in renders:
        found.append(QueuePlace(start, start + cost(render, weight=weight)))
        start = found[-1].finish_key
    return found


def cost(render: Render, *, weight: float = 1.0) -> int:
    """Return by how much a render moves its owner's next one back, at least 1."""
    frames = render.total_frames + START_COST_FRAMES
    return max(1, round(frames * UNITS_PER_FRAME / min(max(weight, MIN_WEIGHT), MAX_WEIGHT)))
