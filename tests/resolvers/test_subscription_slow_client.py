"""A subscription of a client that doesn't read."""

import asyncio
import itertools
import socket
import sys
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from services.models import Render, RenderStatus
from tests.support.api_client import Client, open_client
from tests.support.api_server import serve
from tests.support.api_site import Site
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.memory_store import copy_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision status progress } }"
SMALL_BUFFER = 4096
FILLING = 3000  # events that overflow the buffers between the server and a client that doesn't read
UNREAD = 7000


async def test_a_client_that_does_not_read_skips_to_the_newest_state_without_memory_growth(
    site: Site, ann: Client, backend: FakeBackend
) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    render = await stored(site, ann, render_id)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(site.services, send_buffer_bytes=SMALL_BUFFER))
        client = Client((await stack.enter_async_context(open_client(url))).http, user=ann.user)
        stream = await stack.enter_async_context(open_stream(client, sock=slow_socket(url), max_queue=1))
        await stream.subscribe(REVISION, id=render_id)
        await stream.next()
        revisions = itertools.count(2)
        await publish(site, render, revisions, FILLING)
        before = sys.getallocatedblocks()
        await publish(site, render, revisions, UNREAD)
        assert sys.getallocatedblocks() - before < UNREAD / 10
        last = copy_of(render, revision=next(revisions), status=RenderStatus.COMPLETE, progress=100)
        await site.services.hub.publish(last)
        seen = [state["revision"] for state in await stream.rest()]
    assert seen == sorted(set(seen))
    assert seen[-1] == last.revision
    assert len(seen) < FILLING
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) > UNREAD


def slow_socket(url: str) -> socket.socket:
    """Return a connected socket with a small receive buffer."""
    address = urlsplit(url)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    slow.connect((address.hostname, address.port))
    return slow


async def stored(site: Site, client: Client, render_id: str) -> Render:
    render = await site.services.store.get(render_id, owner=str(client.user))
    assert render is not None
    return render


async def publish(site: Site, render: Render, revisions: "itertools.count[int]", times: int) -> None:
    for revision in itertools.islice(revisions, times):
        await site.services.hub.publish(copy_of(render, revision=revision))
        await asyncio.sleep(0)
