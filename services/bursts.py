"""Changes that come faster than they can be told."""

import asyncio
from collections.abc import Callable

from services.documents import Announcement


class Bursts:
    """Tells of changes as they come; of those of a render that come in one turn of the loop, the first and the newest.

    After a pause there may be hundreds in what is read at once. Whoever is told wants the newest state, and all others
    wait meanwhile.
    """

    def __init__(self, tell: Callable[[Announcement], None]) -> None:
        self._tell = tell
        self._of_turn: dict[str, Announcement | None] = {}  # by render: the newest of which nothing is told yet

    def take(self, announced: Announcement) -> None:
        """Tell of a change now, or at the end of this turn unless a newer one comes before."""
        if not self._of_turn:
            asyncio.get_running_loop().call_soon(self._end_turn)
        render = announced.render
        if render.id not in self._of_turn:
            self._of_turn[render.id] = None
            self._tell(announced)
            return
        newest = self._of_turn[render.id]
        if newest is None or newest.render.revision < render.revision:
            self._of_turn[render.id] = announced

    def _end_turn(self) -> None:
        of_turn, self._of_turn = self._of_turn, {}
        for announced in of_turn.values():
            if announced is not None:
                self._tell(announced)
