"""Changes that come faster than they can be told."""

import asyncio
from collections.abc import Callable

from services.documents import Announcement


class Bursts:
    """Tells of changes as they come; of those of a render that come in one turn of the loop, the first and the newest.

    After a pause there may be hundreds in what is read at once. Whoever is told wants the newest state, and all others
    wait meanwhile. Turns are told apart by uvloop's time, which passes between them only.
    """

    def __init__(self, tell: Callable[[Announcement], None]) -> None:
        self._tell = tell
        self._turn = 0.0
        self._told: set[str] = set()  # renders, in this turn
        self._later: dict[str, Announcement] = {}  # the newest of those that were told already

    def take(self, announced: Announcement) -> None:
        """Tell of a change now, or at the end of this turn unless a newer one comes before."""
        loop, render = asyncio.get_running_loop(), announced.render
        if self._turn != (now := loop.time()):
            self._turn, self._told = now, set()
        if render.id not in self._told:
            self._told.add(render.id)
            self._tell(announced)
            return
        if not self._later:
            loop.call_soon(self._end_turn)
        newest = self._later.get(render.id, announced)
        self._later[render.id] = max(newest, announced, key=lambda each: each.render.revision)

    def _end_turn(self) -> None:
        later, self._later = self._later, {}
        for announced in later.values():
            self._tell(announced)
