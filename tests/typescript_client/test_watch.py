"""Watches of @rendercast/client over WebSocket, SSE and polling, most with all three at the same time.

The server is real; tests control its backend.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from auth.bearer import open_bearer_tokens
from services.settings import load_settings
from tests.support import tokens
from tests.support.fake_backend import FakeBackend
from tests.support.waiting import wait_until
from tests.typescript_client.package import NEEDS_NODE, NODE, run
from tests.typescript_client.program import Call, CallError, Client, Program, State, assert_in_order
from tests.typescript_client.proxy import Proxy, open_proxy
from tests.typescript_client.site import open_site, until_running

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), NEEDS_NODE]

HELLO = {"text": "Hello\N{LINE SEPARATOR}world"}  # which is in JSON as it is


async def start(client: Client, backend: FakeBackend) -> str:
    """Start a render, and return its id when the backend runs it."""
    render_id: str = (await client.call("start", HELLO))["id"]
    await wait_until(lambda: render_id in backend.starts)
    return render_id


async def progress(watches: Sequence[Call], backend: FakeBackend, render_id: str, *, frames: int) -> None:
    """Set the progress, and wait until all watches show it."""
    backend.progress(render_id, frames)
    for watch in watches:
        await watch.until(lambda state: state["framesRendered"] == frames)


async def ends(watches: Sequence[Call]) -> list[list[State]]:
    """Return the states of all watches when they have ended."""
    return list(await asyncio.gather(*(watch.rest() for watch in watches)))


async def test_every_transport_yields_each_state_and_ends_after_the_last(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        clients = program.open_each(site.url)
        render_id = await start(clients[0], site.backend)
        watches = [client.watch(render_id) for client in clients]
        for frames in (10, 40, 80):
            await progress(watches, site.backend, render_id, frames=frames)
        site.backend.finish(render_id)
        for states in await ends(watches):
            assert_in_order(states)
            assert [state["framesRendered"] for state in states if 0 < state["framesRendered"] < 90] == [10, 40, 80]
            assert states[-1]["outputUrl"] != states[-1]["downloadUrl"]
        assert site.backend.starts == [render_id]
        (state,) = await clients[0].watch(render_id).rest()  # of a render that ended before
        assert state["status"] == "COMPLETE"


async def test_states_stay_in_order_while_connections_are_lost_and_the_client_is_offline(
    program: Program, tmp_path: Path
) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        clients = program.open_each(proxy.url)
        render_id = await start(clients[0], site.backend)
        watches = [client.watch(render_id) for client in clients]
        for frames in (10, 20, 30):
            await progress(watches, site.backend, render_id, frames=frames)
            proxy.disconnect()
        proxy.go_offline()
        site.backend.progress(render_id, 60)
        accepted = proxy.accepted
        await wait_until(lambda: proxy.accepted >= accepted + 6)  # each has tried several times
        site.backend.finish(render_id)
        proxy.is_offline = False
        for states in await ends(watches):
            assert_in_order(states)
        assert site.backend.starts == [render_id]


async def test_connections_over_which_nothing_arrives_any_longer_are_replaced(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        clients = program.open_each(proxy.url)
        render_id = await start(clients[0], site.backend)
        watches = [client.watch(render_id) for client in clients]
        await progress(watches, site.backend, render_id, frames=30)
        proxy.stop_relaying()
        site.backend.finish(render_id)
        for states in await ends(watches):
            assert_in_order(states)


async def test_a_client_whose_tokens_expire_reconnects_with_the_next_and_misses_no_state(
    program: Program, tmp_path: Path
) -> None:
    settings = load_settings(jwt_secret=tokens.SECRET, jwt_leeway_s=0)
    async with (
        open_bearer_tokens(settings.auth) as authenticate,
        open_site(tmp_path, authenticate=authenticate) as site,
    ):
        clients = program.open_each(site.url, tokens=lambda **_: tokens.token_of("ann", exp=int(time.time()) + 3))
        render_id = await start(clients[0], site.backend)
        watches = [client.watch(render_id) for client in clients]
        for frames in range(10, 70, 10):
            await progress(watches, site.backend, render_id, frames=frames)
            await asyncio.sleep(1)
        site.backend.finish(render_id)
        for states in await ends(watches):
            assert_in_order(states)
            assert {10, 20, 30, 40, 50, 60} <= {state["framesRendered"] for state in states}
        assert all(client.rejections for client in clients[:2])  # each was disconnected when its token expired
        assert site.backend.starts == [render_id]


async def test_a_rejected_token_is_replaced_once_and_then_an_error(program: Program, tmp_path: Path) -> None:
    settings = load_settings(jwt_secret=tokens.SECRET, jwt_leeway_s=0)
    async with (
        open_bearer_tokens(settings.auth) as authenticate,
        open_site(tmp_path, authenticate=authenticate) as site,
    ):
        old = tokens.token_of("ann", exp=int(time.time()) - 60)
        render_id = ""
        for client in program.open_each(site.url, tokens=lambda rejected: tokens.token_of("ann") if rejected else old):
            render_id = (await client.call("start", HELLO))["id"]
            watch = client.watch(render_id)
            await watch.next()
            watch.end()
        for client in program.open_each(site.url, tokens=lambda **_: old):
            for call in (client.start("start", HELLO), client.watch(render_id)):
                with pytest.raises(CallError) as caught:
                    await call.next()
                assert (caught.value.kind, caught.value.details["code"]) == ("Unauthenticated", "UNAUTHENTICATED")
                assert "sign in" in caught.value.details["message"].lower()


async def test_a_token_function_that_fails_for_a_time_delays_the_watch(program: Program, tmp_path: Path) -> None:
    failures = iter([True, True, True])

    def token(**_: bool) -> str:
        if next(failures, False):
            raise ValueError("no session")
        return tokens.token_of("ann")

    settings = load_settings(jwt_secret=tokens.SECRET, jwt_leeway_s=0)
    async with (
        open_bearer_tokens(settings.auth) as authenticate,
        open_site(tmp_path, authenticate=authenticate) as site,
    ):
        render_id = await start(program.open(site.url, tokens=lambda **_: tokens.token_of("ann")), site.backend)
        watch = program.open(site.url, tokens=token).watch(render_id)
        await watch.next()
        watch.abort()


async def test_many_watches_share_one_websocket_and_those_over_a_limit_are_polled(
    program: Program, tmp_path: Path
) -> None:
    async with (
        open_site(tmp_path, max_operations_per_connection=20, max_connections_per_user=1) as site,
        open_proxy(site.url) as proxy,
    ):
        client = program.open(proxy.url)
        render_id = await start(client, site.backend)
        watches = [client.watch(render_id) for _ in range(60)]
        await progress(watches, site.backend, render_id, frames=30)
        assert proxy.websockets == 1
        other = program.open(proxy.url).watch(render_id)  # has neither a WebSocket nor a stream
        await progress([other], site.backend, render_id, frames=60)
        site.backend.finish(render_id)
        for states in await ends([*watches, other]):
            assert_in_order(states)


async def test_a_watch_without_websockets_uses_sse_and_remembers_it(program: Program, tmp_path: Path) -> None:
    rejection = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        client = program.open(proxy.url)
        render_id = await start(client, site.backend)
        proxy.disconnect()  # the connection of the request, which is kept alive
        proxy.canned = [rejection]
        first = client.watch(render_id)
        await progress([first], site.backend, render_id, frames=30)
        assert proxy.websockets == 0
        proxy.disconnect()
        await progress([first], site.backend, render_id, frames=60)
        assert proxy.websockets == 0
        first.end()


async def test_a_watch_is_polled_if_a_proxy_buffers_streams(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        client = program.open(proxy.url, transports=["sse", "polling"])
        render_id = await start(client, site.backend)
        proxy.buffers_streams = True
        proxy.disconnect()
        watch = client.watch(render_id)
        await progress([watch], site.backend, render_id, frames=30)
        site.backend.finish(render_id)
        assert_in_order(await watch.rest())


async def test_a_server_that_trusts_the_clients_documents_only_accepts_them(
    package: Path, program: Program, tmp_path: Path
) -> None:
    readme = (package / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"// documents\.mjs\n(.*?)```", readme, re.DOTALL)
    run(NODE, "--input-type=module", "--eval", script, cwd=package)
    file = package / "documents.json"
    async with open_site(tmp_path, trusted_documents=file, trusted_documents_only=True) as site:
        for client in program.open_each(site.url):
            render_id = await start(client, site.backend)
            watch = client.watch(render_id)
            await watch.next()
            lists = client.start("watchList")
            await lists.next()
            lists.end()
            site.backend.finish(render_id)
            assert_in_order(await watch.rest())


async def test_unknown_renders_and_batches_are_typed_errors(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for client in program.open_each(site.url):
            for method, kind, code in (
                ("watch", "RenderNotFound", "RENDER_NOT_FOUND"),
                ("watchBatch", "BatchNotFound", "BATCH_NOT_FOUND"),
            ):
                with pytest.raises(CallError) as caught:
                    await client.start(method, "01m817gzatj1v633w9kvyqtevh").next()
                assert (caught.value.kind, caught.value.details["code"]) == (kind, code)


async def test_a_watch_ends_at_once_when_it_is_aborted_or_returned(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        clients = program.open_each(proxy.url)
        render_id = await start(clients[0], site.backend)
        await until_running(site, render_id)
        proxy.go_offline()
        accepted = proxy.accepted
        connecting = [client.watch(render_id) for client in clients]
        await wait_until(lambda: proxy.accepted >= accepted + len(clients))
        proxy.is_offline = False
        watches = [client.watch(render_id) for client in clients for _ in range(2)]
        await asyncio.gather(*(watch.next() for watch in watches))
        for watch in (*watches[::2], *connecting):
            watch.end()
            assert len(await watch.rest()) < 2
        for watch in watches[1::2]:
            watch.abort()
            with pytest.raises(CallError, match="aborted"):
                await watch.rest()


async def test_a_batch_is_watched_to_its_end(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        clients = program.open_each(site.url)
        batch = await clients[0].call("batch", {"renders": [HELLO, {**HELLO, "style": "SCALE"}]})
        ids = [render["id"] for render in batch["renders"]]
        watches = [client.start("watchBatch", batch["batchId"]) for client in clients]
        await wait_until(lambda: set(site.backend.starts) == set(ids))
        for render_id in ids:
            site.backend.finish(render_id)
        for values in await ends(watches):
            assert (values[-1]["hasEnded"], values[-1]["complete"], values[-1]["total"]) == (True, 2, 2)
            assert not any(value["hasEnded"] for value in values[:-1])
        assert len(site.backend.starts) == 2


async def test_a_list_follows_starts_progress_ends_and_deletions(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        for client in program.open_each(proxy.url):
            await watch_list(client, site.backend, proxy)


async def watch_list(client: Client, backend: FakeBackend, proxy: Proxy) -> None:
    first = await start(client, backend)
    lists = client.start("watchList", {"first": 2})
    await lists.until(lambda renders: renders[0]["id"] == first)
    second = await start(client, backend)
    await lists.until(lambda renders: [render["id"] for render in renders] == [second, first])
    backend.progress(second, 45)
    await lists.until(lambda renders: renders[0]["progress"] > 0)
    proxy.disconnect()
    for render_id in (first, second):
        backend.finish(render_id)
    await lists.until(lambda renders: {render["status"] for render in renders} == {"COMPLETE"})
    await client.call("delete", second)
    await lists.until(lambda renders: renders[0]["id"] == first)
    lists.end()
    await lists.rest()
    assert all(len(renders) <= 2 for renders in lists.values)
    await client.call("delete", first)
