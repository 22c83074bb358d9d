"""The operations of the API on batches, as a run of a batch needs them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar, cast

from rendercast.client import AsyncClient, BatchProgress, Render, RendercastError, StartRenderInput

from commands.client.props import Json

Result = TypeVar("Result")

RATE_PAUSE_S = 5.0  # before a mutation that the rate limit has rejected is repeated
RATE_TIMEOUT_S = 120.0  # of repeating it: the limit counts the mutations of a minute
UNFINISHED = """
query ($id: ID!) {
  renders(last: 100, filter: { batchId: $id, status: [QUEUED, RENDERING] }) { edges { node { id } } }
}
"""


class BatchApi:
    """The batches of one user. Every method raises `RendercastError`."""

    def __init__(self, api: AsyncClient) -> None:
        self.api = api

    async def check(self, inputs: Sequence[Json]) -> Sequence[tuple[str, str]]:
        """Return the paths and messages of the problems of these renders."""
        found = await self.api.check(cast("Sequence[StartRenderInput]", inputs))
        return [(each.path, each.message) for each in found]

    async def start(self, batch_id: str, inputs: Sequence[Json]) -> tuple[Sequence[Render], int]:
        """Start renders with keys; return them, and how many of them earlier calls had started."""
        given = cast("Sequence[StartRenderInput]", inputs)
        batch = await within_rate(lambda: self.api.batch(given, batch_id=batch_id))
        return batch.renders, batch.duplicates

    async def retry(self, render: Render) -> Render:
        """Retry a failed or cancelled render unless that was done before; return the last of its renders."""
        while render.status in {"FAILED", "CANCELLED"}:
            failed = render
            render = await within_rate(lambda: self.api.retry(failed.id))  # noqa: B023  # called at once
        return render

    async def get(self, render_id: str) -> Render:
        """Return a render."""
        return await self.api.get(render_id)

    async def oldest_unfinished(self, batch_id: str) -> Sequence[str]:
        """Return the ids of up to 100 renders of the batch that have not ended, oldest first."""
        data = await self.api.execute(UNFINISHED, {"id": batch_id})
        return sorted(str(edge["node"]["id"]) for edge in data["renders"]["edges"])

    def watch(self, batch_id: str) -> AsyncGenerator[BatchProgress, None]:
        """Yield the progress, then each newer one, until all renders have ended."""
        return self.api.watch_batch(batch_id)


async def within_rate(
    call: Callable[[], Awaitable[Result]], *, pause_s: float = RATE_PAUSE_S, timeout_s: float = RATE_TIMEOUT_S
) -> Result:
    """Return the result of a mutation. Repeat it while the rate limit rejects it.

    Raises its `RendercastError` after `timeout_s`: other limits have the same code.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await call()
        except RendercastError as error:
            if error.code != "LIMIT_EXCEEDED" or loop.time() >= deadline:
                raise
        await asyncio.sleep(pause_s)
