"""Watches of @rendercast/client while the server is killed during a render and started again."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import Start, dev_servers
from tests.end_to_end.slow import SlowRenderers
from tests.typescript_client.package import NEEDS_NODE
from tests.typescript_client.program import Program, assert_in_order

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), NEEDS_NODE]

LONG = {"text": "Hello", "durationInFrames": 300}


@pytest.fixture
def renderers(tmp_path: Path) -> SlowRenderers:
    return SlowRenderers(tmp_path)


@pytest.fixture
def start(tmp_path: Path, renderers: SlowRenderers) -> Iterator[Start]:
    with dev_servers(tmp_path, text_width=320, text_height=180, **renderers.settings) as start:
        yield start


async def test_every_transport_continues_after_the_server_was_killed_and_nothing_is_started_twice(
    program: Program, start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    first = start()
    clients = program.open_each(first.url)
    render = await clients[0].call("start", LONG)
    watches = [client.watch(render["id"]) for client in clients]
    for watch in watches:
        await watch.until(lambda state: state["progress"] > 0)
    first.end(signal.SIGKILL)
    while_down = clients[0].start("start", {"text": "While the server is down", "durationInFrames": 1})
    renderers.speed_up()
    start(after=first)
    for watch in watches:
        assert_in_order(await watch.rest())
    (second,) = await while_down.rest()
    listed = await clients[0].call("list")
    assert [each["id"] for each in listed["renders"]] == [second["id"], render["id"]]
    assert (await clients[0].call("quota"))["remaining"] == (await clients[0].call("quota"))["limit"] - 2
