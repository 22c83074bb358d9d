"""What it costs to be watched: CPU time that metrics and ids in the log add to a delivery, a change and a request."""

import time
from collections.abc import Callable

from starlette.types import Message, Receive, Scope, Send

from resolvers.heads import Heads
from services import documents, lifecycle
from services.clock import SystemClock
from services.documents import Announcement
from services.ids import new_render_id
from services.metrics import Metrics
from services.models import Render
from tests.conftest import PROPS

TURNS = 20_000
ROUNDS = 7
CLOCK = SystemClock()
METRICS = Metrics()


def main() -> None:
    print("## What being watched costs\n")
    now = CLOCK.now()
    queued = Render(id=new_render_id(now), owner="ann", props=PROPS, created_at=now)
    render = lifecycle.launch(queued, now=now, deadline_at=now)
    announcement = Announcement(render=render, published_at=now)
    plain, whole = documents.encode(render), documents.encode_announcement(announcement)
    encoding = _us(lambda: documents.encode_announcement(Announcement(render=render, published_at=CLOCK.now())))
    delivery = _us(lambda: METRICS.sent(published_at=now, now=CLOCK.now()))
    print(f"a delivery: {delivery:.2f} µs to time")
    print(f"a change: {_us(lambda: METRICS.changed(render)):.2f} µs to count")
    print(f"a message: {encoding - _us(lambda: documents.encode(render)):.2f} µs more to write")
    more = _us(lambda: documents.decode_announcement(whole)) - _us(lambda: documents.decode(plain))
    print(f"a message: {more:.2f} µs more to read, once in each process")
    print(
        f"a request: {_request(Heads(_answer)) - _request(_answer):.2f} µs for its id and the headers of its answer\n"
    )


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b""})


def _request(app: Callable[[Scope, Receive, Send], object]) -> float:
    scope = {"type": "http", "headers": [(f"x-{number}".encode(), b"v") for number in range(12)]}

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        del message

    def ask() -> None:
        coroutine = app(scope, receive, send)
        try:
            coroutine.send(None)  # type: ignore[attr-defined]  # it waits for nothing
        except StopIteration:
            return

    return _us(ask)


def _us(work: Callable[[], object]) -> float:
    """Return the microseconds of CPU time that it takes, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TURNS):
            work()
        best = min(best, time.process_time() - began)
    return best / TURNS * 1e6


if __name__ == "__main__":
    main()
