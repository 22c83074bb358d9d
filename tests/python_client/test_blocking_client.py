"""The blocking Python client: its methods are those of the asynchronous one, in a thread of its own."""

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from rendercast.client import AsyncClient, Client, Render, RenderNotFound

from tests.support.idle_site import IdleSite

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "01hzzzzzzzzzzzzzzzzzzzzzzz"
Result = TypeVar("Result")


async def blocking(site: IdleSite, use: Callable[[Client], Result]) -> Result:
    """Return what a function does with a `Client`, in a thread."""

    def run() -> Result:
        with Client(site.url) as client:
            return use(client)

    return await asyncio.to_thread(run)


async def test_the_blocking_client_has_the_same_methods(site: IdleSite) -> None:
    public = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert public == {name for name in vars(Client) if not name.startswith("_")}

    def use(client: Client) -> tuple[Render, Sequence[str], Sequence[str]]:
        render = client.start(text="Hi", generation_id="blocking")
        client.cancel(render.id)
        watched = [state.status for state in client.watch(render.id)]
        return render, watched, [each.id for each in client.list(generation_id="blocking")]

    render, watched, listed = await blocking(site, use)
    assert (watched, listed) == (["CANCELLED"], [render.id])


async def test_an_error_of_the_blocking_client_is_raised_where_it_is_called(site: IdleSite) -> None:
    def use(client: Client) -> None:
        with pytest.raises(RenderNotFound):
            client.get(UNKNOWN)
        with pytest.raises(RenderNotFound):
            next(client.watch(UNKNOWN))

    await blocking(site, use)


async def test_watching_can_be_ended_at_any_time(site: IdleSite) -> None:
    def use(client: Client) -> None:
        render = client.start(text="Hi")
        for state in client.watch(render.id):
            assert state.status == "QUEUED"
            break
        states = client.watch(render.id)
        next(states)
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            next(states)

    await blocking(site, use)


async def test_closing_the_blocking_client_ends_the_calls_of_other_threads(site: IdleSite) -> None:
    def use(client: Client) -> str:
        render = client.start(text="Hi")
        states = client.watch(render.id)
        next(states)
        found: list[str] = []

        def watch() -> None:
            try:
                next(states)
            except RuntimeError as error:
                found.append(str(error))

        waiting = threading.Thread(target=watch)
        waiting.start()
        client.quota()
        client.close()
        waiting.join()
        return found[0]

    assert await blocking(site, use) == "The client is closed."


async def test_threads_share_a_client_which_ends_its_thread_when_it_is_closed_or_forgotten(site: IdleSite) -> None:
    before = set(threading.enumerate())

    def forget() -> None:
        client = Client(site.url)
        client.quota()
        assert set(threading.enumerate()) > before
        del client
        gc.collect()

    await asyncio.to_thread(forget)

    def share(client: Client) -> list[int]:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(client.quota().limit)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    assert await blocking(site, share) == [1000] * 4
    assert [each for each in threading.enumerate() if each.name == "rendercast-client"] == []


async def test_a_token_function_that_uses_its_own_client_is_rejected(site: IdleSite) -> None:
    clients: list[Client] = []

    def use() -> None:
        with Client(site.url, token=lambda: str(clients[0].quota())) as client:
            clients.append(client)
            with pytest.raises(RuntimeError, match="must not use the client"):
                client.quota()

    await asyncio.to_thread(use)


async def test_a_client_that_was_used_before_a_fork_is_rejected(site: IdleSite) -> None:
    def use(client: Client) -> int:
        client.quota()
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        try:
            client.quota()
        except RuntimeError as error:
            os._exit(7 if "before this process was forked" in str(error) else 1)
        os._exit(0)

    assert await blocking(site, use) == 7


async def test_a_closed_blocking_client_is_rejected(site: IdleSite) -> None:
    def use(client: Client) -> None:
        client.close()
        client.close()
        with pytest.raises(RuntimeError, match="is closed"):
            client.quota()

    await blocking(site, use)
