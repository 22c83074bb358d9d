"""startRender over HTTP: successful starts, invalid input, quota and idempotency."""

import asyncio
import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.api_client import (
    PROPS,
    QUOTA_LEFT,
    START,
    Client,
    open_client,
)
from tests.support.api_server import rewired, serve
from tests.support.api_site import Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOO_LONG = "Animation too long. Maximum duration is 20 seconds."
INVALID_PROPS: list[tuple[str, object]] = [
    ("text", ""),
    ("text", " \n\t "),
    ("text", "\u00a0\u2003"),
    ("text", "x" * 501),
    ("text", "a\x00b"),
    ("text", "a\x1bb"),
    ("text", "a\ud800b"),
    ("text", "a\udc00\ud800b"),
    ("fontFamily", ""),
    ("fontFamily", "x" * 10_000),
    ("fontFamily", "Inter\x00"),
    ("fontFamily", "Inter\ud800"),
    ("fontWeight", 99),
    ("fontWeight", 1000),
    ("fontSize", 0),
    ("fontSize", -0.0),
    ("fontSize", -12),
    ("fontSize", 1e-300),
    ("fontSize", 1e6),
    ("fontSize", 1e308),
    ("color", ""),
    ("color", "no colour"),
    ("color", "#ffff1"),
    ("color", "rgb(1,2)"),
    ("color", "currentcolor"),
    ("color", "red;"),
    ("color", "red\x00"),
    ("color", "\ud800"),
    ("color", "x" * 10_000),
    ("color", "(" * 99),
    ("backgroundColor", ""),
    ("backgroundColor", "none"),
    ("backgroundColor", "\ud800"),
    ("durationInFrames", 0),
    ("durationInFrames", -1),
    ("durationInFrames", -(2**31)),
    ("durationInFrames", 601),
    ("durationInFrames", 2**31 - 1),
    ("fps", 29),
    ("fps", 0),
    ("fps", -30),
    ("fps", 60),
]


async def test_a_start_returns_the_queued_render_and_the_remaining_quota(
    site: Site, ann: Client, backend: FakeBackend
) -> None:
    await backend.stop_starting()
    before = site.clock.now()
    result = await ann.start(generation_id="film 7", text="Hi\nthere", backgroundColor="navy")
    after = site.clock.now()
    render, quota = result["render"], result["quota"]
    assert result["__typename"] == "StartRenderSuccess"
    assert result["duplicate"] is False
    assert render == {
        **dict.fromkeys(render),
        "id": render["id"],
        "compositionId": "TextAnimation",
        "revision": 1,
        "generationId": "film 7",
        "status": "QUEUED",
        "progress": 0,
        "framesRendered": 0,
        "totalFrames": 90,
        "queuePosition": render["queuePosition"],
        "animationProps": {**PROPS, "text": "Hi\nthere", "fontSize": 64.0, "backgroundColor": "navy", "fps": 30},
        "attempt": 0,
        "cancelRequested": False,
        "warnings": [],
        "createdAt": render["createdAt"],
    }
    assert render["queuePosition"] >= 1
    assert before - timedelta(milliseconds=1) < datetime.fromisoformat(render["createdAt"]) <= after
    assert (quota["limit"], quota["remaining"], quota["windowSeconds"]) == (5, 4, 3600)
    assert datetime.fromisoformat(quota["resetsAt"]) > before


async def test_ids_are_unique_and_sort_by_time_of_start(ann: Client) -> None:
    ids = []
    for _ in range(5):
        ids.append(await ann.start_render())
        await asyncio.sleep(0.002)  # ids made in different milliseconds sort
    assert sorted(set(ids)) == ids


async def test_a_start_beyond_the_quota_returns_the_waiting_time_and_stores_nothing(site: Site, ann: Client) -> None:
    for _ in range(5):
        await ann.start_render()
    before = site.clock.now()
    result = await ann.start()
    seconds = (datetime.fromisoformat(result["quota"]["resetsAt"]) - before).total_seconds()
    assert result == {
        "__typename": "RenderQuotaExceeded",
        "message": "Render quota exceeded. You can render up to 5 videos per hour. Please try again later.",
        "quota": {**result["quota"], "limit": 5, "remaining": 0, "windowSeconds": 3600},
        "retryAfterSeconds": pytest.approx(math.ceil(seconds), abs=60),
    }
    assert result["retryAfterSeconds"] >= 1
    assert len(await ann.list_renders()) == 5


async def test_one_users_quota_is_not_anothers(ann: Client, bob: Client) -> None:
    for _ in range(5):
        await ann.start_render()
    result = await bob.start()
    assert result["quota"]["remaining"] == 4


async def test_a_known_idempotency_key_returns_its_render_in_its_current_state_without_quota(
    ann: Client, backend: FakeBackend
) -> None:
    render_id = await ann.start_render(key="k")
    await ann.until(render_id, status="RENDERING")
    backend.finish(render_id)
    await ann.until(render_id, status="COMPLETE")
    again = await ann.start(key="k")
    assert (again["duplicate"], again["render"]["id"], again["render"]["status"]) == (True, render_id, "COMPLETE")
    assert again["quota"]["remaining"] == 4
    assert len(await ann.list_renders()) == 1


async def test_an_idempotency_key_works_when_the_quota_is_used_up(ann: Client) -> None:
    render_id = await ann.start_render(key="k")
    for _ in range(4):
        await ann.start_render()
    assert (await ann.start(key="k"))["render"]["id"] == render_id
    assert (await ann.start(key="other"))["__typename"] == "RenderQuotaExceeded"


async def test_an_idempotency_key_of_another_user_is_another_key(ann: Client, bob: Client) -> None:
    assert await ann.start_render(key="same") != await bob.start_render(key="same")


async def test_twenty_calls_at_once_with_one_key_start_one_render(ann: Client) -> None:
    results = await asyncio.gather(*(ann.start(key="one") for _ in range(20)))
    assert {result["render"]["id"] for result in results} == {results[0]["render"]["id"]}
    assert sorted(result["duplicate"] for result in results) == [False, *[True] * 19]
    assert await ann.quota_used() == 1


async def test_a_server_without_a_renderer_reports_it_at_once(site: Site, backend: FakeBackend) -> None:
    bare = rewired(site.services, backend=backend)
    bare = replace(bare, renders=replace(bare.renders, backend=None))
    async with serve(bare) as url, open_client(url, user="no-renderer") as client:
        assert await client.start() == {
            "__typename": "RenderServiceNotConfigured",
            "message": "Render service not configured. Please contact support.",
        }
        assert await client.list_renders() == []
        assert await client.quota_used() == 0


async def test_the_fields_of_a_mutation_run_one_after_the_other(ann: Client) -> None:
    answer: dict[str, Any] = await ann.post(
        "mutation ($input: StartRenderInput!) {"
        + " ".join(
            f"m{n}: startRender(input: $input) {{ __typename ... on StartRenderSuccess {{ quota {{ remaining }} }} }}"
            for n in range(7)
        )
        + "}",
        input={"animationProps": PROPS},
    )
    results = list(answer["data"].values())
    assert [result["quota"]["remaining"] for result in results[:5]] == [4, 3, 2, 1, 0]
    assert [result["__typename"] for result in results[5:]] == ["RenderQuotaExceeded"] * 2
    assert (await ann.execute(QUOTA_LEFT))["remaining"] == 0


@pytest.mark.parametrize(("field", "value"), INVALID_PROPS, ids=lambda value: repr(value)[:24])
async def test_an_invalid_value_is_reported_with_its_field_and_without_side_effects(
    ann: Client, field: str, value: object
) -> None:
    result = await ann.execute(START, input={"animationProps": {**PROPS, field: value}})
    assert result["__typename"] == "InvalidAnimation"
    assert {problem["field"] for problem in result["problems"]} == {field}
    assert all(problem["message"] for problem in result["problems"])
    assert result["message"] == " ".join(problem["message"] for problem in result["problems"])
    await assert_nothing_was_stored(ann)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00", "a\ud800"], ids=repr)
@pytest.mark.parametrize("field", ["generationId", "idempotencyKey"])
async def test_an_invalid_key_is_reported_with_its_field_and_without_side_effects(
    ann: Client, field: str, key: str
) -> None:
    result = await ann.execute(START, input={"animationProps": PROPS, field: key})
    assert result["__typename"] == "InvalidAnimation"
    assert [problem["field"] for problem in result["problems"]] == [field]
    await assert_nothing_was_stored(ann)


async def test_all_problems_are_reported_at_once(ann: Client) -> None:
    result = await ann.start(text="", fontSize=0, color="?", durationInFrames=9000, fps=25)
    assert [problem["field"] for problem in result["problems"]] == [
        "text",
        "fontSize",
        "color",
        "durationInFrames",
        "fps",
    ]
    assert TOO_LONG in [problem["message"] for problem in result["problems"]]


async def test_invalid_input_is_reported_even_when_the_quota_is_used_up(ann: Client) -> None:
    for _ in range(5):
        await ann.start_render()
    assert (await ann.start(text=""))["__typename"] == "InvalidAnimation"


async def test_the_longest_animation_is_accepted_and_one_frame_more_is_not(ann: Client) -> None:
    assert (await ann.start(durationInFrames=600))["__typename"] == "StartRenderSuccess"
    result = await ann.start(durationInFrames=601)
    assert result["message"] == TOO_LONG


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fontSize", math.inf),
        ("fontSize", -math.inf),
        ("fontSize", "64"),
        ("fontSize", None),
        ("fontSize", True),
        ("style", "SPIN"),
        ("style", "fade-in"),
        ("style", None),
        ("text", None),
        ("text", 7),
        ("text", ["a"]),
        ("durationInFrames", 1.5),
        ("durationInFrames", 2**31),
        ("durationInFrames", 10**400),
        ("fps", "30"),
        ("fps", None),
        ("color", {}),
        ("shadow", "yes"),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_a_value_of_a_wrong_type_is_a_graphql_error_that_names_the_field(
    ann: Client, field: str, value: object
) -> None:
    error = await ann.error(START, input={"animationProps": {**PROPS, field: value}})
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert field in error["message"]
    await assert_nothing_was_stored(ann)


@pytest.mark.parametrize("literal", ["1e999", "-1e999"])
async def test_an_infinite_font_size_in_the_document_is_rejected(ann: Client, literal: str) -> None:
    result = await ann.execute(
        f"""mutation {{ startRender(input: {{ animationProps: {{
            text: "Hi", style: FADE_IN, fontFamily: "Inter", color: "red", durationInFrames: 30, fontSize: {literal}
        }} }}) {{ __typename ... on InvalidAnimation {{ problems {{ field }} }} }} }}"""
    )
    assert result == {"__typename": "InvalidAnimation", "problems": [{"field": "fontSize"}]}
    await assert_nothing_was_stored(ann)


async def assert_nothing_was_stored(client: Client) -> None:
    assert await client.list_renders() == []
    assert await client.quota_used() == 0
