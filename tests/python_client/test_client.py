"""The methods of the asynchronous Python client, on one server."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

import pytest
import pytest_asyncio
from rendercast.client import (
    AsyncClient,
    Batch,
    BatchNotFound,
    Client,
    Composition,
    IdempotencyKeyReused,
    InvalidAnimation,
    InvalidInput,
    RenderNotComplete,
    RenderNotFinished,
    RenderNotFound,
    RenderNotRetryable,
    RequestRejected,
    ServerUnreachable,
    StartRenderInput,
    UserError,
)
from rendercast.client.user_errors import USER_ERRORS, user_error

from tests.support.idle_site import IdleSite
from tests.support.server_process import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROPS = {"title": "Hello", "scenes": []}
UNKNOWN = "01hzzzzzzzzzzzzzzzzzzzzzzz"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(site: IdleSite) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(site.url) as client:
        yield client


async def test_a_text_is_started_with_its_options(client: AsyncClient) -> None:
    render = await client.start(text="Hi", animation={"style": "SCALE", "durationInFrames": 7}, generation_id="g")
    assert render.animation_props is not None
    assert (render.animation_props.text, render.animation_props.style) == ("Hi", "SCALE")
    assert (render.status, render.total_frames, render.generation_id) == ("QUEUED", 7, "g")
    assert (render.has_ended, render.raw["animationProps"]["text"]) == (False, "Hi")
    assert await client.get(render.id) == render


async def test_a_composition_is_started_by_its_id_or_its_type(client: AsyncClient) -> None:
    promo = Composition[Mapping[str, object]]("Promo")
    for render in (
        await client.start(promo(PROPS), output={"video": {"format": "VP9", "transparent": True}}),
        await client.start(promo(PROPS, output={"video": {"format": "VP9"}})),
        await client.start("Promo", PROPS, output={"video": {"format": "VP9"}}),
    ):
        assert (render.composition_id, render.output.format, render.output.kind) == ("Promo", "VP9", "VIDEO")


@pytest.mark.parametrize("arguments", [{}, {"render": "Promo", "text": "Hi"}, {"props": {}, "text": "Hi"}])
async def test_a_start_has_a_composition_or_a_text(client: AsyncClient, arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="with its props, or a text"):
        await client.start(**arguments)  # type: ignore[call-overload]


async def test_starts_with_the_same_key_return_the_same_render(client: AsyncClient) -> None:
    first = await client.start(text="Hi", idempotency_key="k")
    assert (await client.start(text="Hi", idempotency_key="k")).id == first.id
    assert (await client.start(text="Hi")).id != (await client.start(text="Hi")).id
    with pytest.raises(IdempotencyKeyReused) as error:
        await client.start(text="Ho", idempotency_key="k")
    assert (error.value.render.id, error.value.code) == (first.id, "IDEMPOTENCY_KEY_REUSED")


async def test_all_problems_of_an_input_are_reported(client: AsyncClient) -> None:
    with pytest.raises(InvalidInput) as error:
        await client.start("Promo", {"title": "", "size": 9, "scenes": []})
    paths = {each.path for each in error.value.problems}
    assert paths == {"/composition/props/title", "/composition/props/size"}
    assert str(error.value).startswith("The input is not valid.\n/composition/props/")
    with pytest.raises(InvalidAnimation) as invalid:
        await client.start(text="Hi", animation={"fontSize": -1})
    assert [each.field for each in invalid.value.problems] == ["fontSize"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_props_that_json_can_not_express_are_rejected(client: AsyncClient, value: float) -> None:
    with pytest.raises(RequestRejected, match="can't be sent as JSON") as error:
        await client.start("Promo", {"size": value})
    assert error.value.code == "NOT_SENT"


async def test_a_render_that_ended_is_not_cancelled_and_one_that_did_not_is_not_deleted(client: AsyncClient) -> None:
    render = await client.start(text="Hi")
    with pytest.raises(RenderNotFinished):
        await client.delete(render.id)
    with pytest.raises(RenderNotComplete):
        await client.refresh_download_url(render.id)
    with pytest.raises(RenderNotRetryable):
        await client.retry(render.id)
    for _ in range(2):
        assert (await client.cancel(render.id)).status == "CANCELLED"
    again = await client.retry(render.id)
    assert again.id != render.id == (await client.get(render.id)).id
    assert (await client.retry(render.id)).id == again.id
    await client.delete(render.id)
    with pytest.raises(RenderNotFound, match="no render with this id"):
        await client.get(render.id)


async def test_an_unknown_render_or_batch_is_the_same_error_everywhere(client: AsyncClient) -> None:
    for call in (client.get, client.cancel, client.retry, client.delete, client.refresh_download_url):
        with pytest.raises(RenderNotFound) as error:
            await call(UNKNOWN)
        assert error.value.code == "RENDER_NOT_FOUND"
    with pytest.raises(RenderNotFound):
        await anext(client.watch(UNKNOWN))
    for batch in (client.get_batch("none"), client.cancel_batch("none"), anext(client.watch_batch("none"))):
        with pytest.raises(BatchNotFound):
            await batch


async def test_renders_are_listed_page_by_page(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rendercast.client.async_client.PAGE_SIZE", 2)
    started = [(await client.start(text="Hi", generation_id="listed")).id for _ in range(5)]
    await client.cancel(started[1])

    async def ids(**conditions: object) -> list[str]:
        return [each.id async for each in client.list(generation_id="listed", **conditions)]  # type: ignore[arg-type]

    assert await ids(first=None) == started[::-1]
    assert await ids(first=3) == started[:1:-1]
    assert await ids(status=["CANCELLED", "FAILED"]) == [started[1]]


async def test_a_batch_is_checked_started_and_followed(client: AsyncClient) -> None:
    promo = Composition[Mapping[str, object]]("Promo")
    inputs = [promo({**PROPS, "title": title}, output={"gif": {}}) for title in ("A", "B")]
    assert await client.check(inputs) == ()
    invalid: list[StartRenderInput] = [*inputs, promo({})]
    assert {each.path.partition("composition")[0] for each in await client.check(invalid)} == {"/renders/2/"}
    batch = await client.batch(inputs, batch_id="b")
    assert isinstance(batch, Batch)
    assert ([each.batch_id for each in batch.renders], batch.duplicates) == (["b", "b"], 0)
    await client.cancel(batch.renders[0].id)
    seen = []
    async with aclosing(client.watch_batch("b")) as states:
        async for state in states:
            seen.append(state)
            if not state.has_ended:
                cancellation = await client.cancel_batch("b")
                assert (cancellation.cancelled, cancellation.stopping) == (1, 0)
    assert [(state.total, state.ended, state.has_ended) for state in seen] == [(2, 1, False), (2, 2, True)]
    assert await client.get_batch("b") == seen[-1]


async def test_compositions_are_described(client: AsyncClient) -> None:
    promo = next(each for each in await client.compositions() if each.id == "Promo")
    assert (promo.kind, promo.width, promo.default_props) == ("VIDEO", 1280, {"size": 2, "scenes": []})
    assert promo.props_schema is not None
    assert await client.composition("Promo") == promo
    assert await client.composition("Nope") is None
    assert "Promo" in await client.composition_ids()


async def test_any_operation_can_be_executed(client: AsyncClient) -> None:
    data = await client.execute("query ($id: ID!) { composition(id: $id) { fps } }", {"id": "Promo"})
    assert data == {"composition": {"fps": 30.0}}
    with pytest.raises(RequestRejected) as error:
        await client.execute("{ nothing }")
    assert error.value.code == "BAD_USER_INPUT"


async def test_a_closed_client_and_a_second_event_loop_are_rejected(client: AsyncClient, site: IdleSite) -> None:
    closed = AsyncClient(site.url)
    await closed.quota()
    await closed.close()
    await closed.close()
    with pytest.raises(RuntimeError, match="is closed"):
        await closed.quota()
    await client.quota()
    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, client.quota())


async def test_a_server_that_can_not_be_reached_is_reported_at_once() -> None:
    port = free_port()
    async with AsyncClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ServerUnreachable, match="Connection refused"):
            await anext(client.watch("id"))
        with pytest.raises(ServerUnreachable, match="Connection refused") as error:
            await client.quota()
    assert (error.value.code, error.value.response_lost) == ("UNREACHABLE", False)


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org", "http://a@b", "https://host/?q"])
async def test_an_invalid_url_or_token_is_rejected(url: str) -> None:
    for kind in (AsyncClient, Client):
        with pytest.raises(ValueError, match="must look like"):
            kind(url)
        with pytest.raises(ValueError, match="no spaces"):
            kind("http://127.0.0.1", token="two words")  # noqa: S106  # no secret


@pytest.mark.parametrize("name", USER_ERRORS)
async def test_an_error_can_be_sent_to_another_process(name: str, client: AsyncClient) -> None:
    render = await client.start(text="Hi")
    fields = {"render": render.raw, "quota": (await client.quota()).raw, "problems": [], "retryAfterSeconds": 7}
    error = user_error({"__typename": name, "message": "No.", **fields})
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    assert (type(copy), copy.code, str(copy)) == (type(error), error.code, str(error))


async def test_an_error_type_of_a_newer_server_is_a_user_error() -> None:
    error = user_error({"__typename": "RenderTooLarge", "message": "It is too large."})
    assert (type(error), error.code, str(error)) == (UserError, "RENDER_TOO_LARGE", "It is too large.")
