"""`rendercast compositions` and `render --composition` as processes, with a server of several compositions."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.models import Composition, Render
from services.runtime.services import Services
from services.settings import CHECKOUT
from tests.commands.conftest import environment, objects
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.api_compositions import COMPOSITIONS, PROMO, PROMO_SCHEMA, composition
from tests.support.forked import run_forked
from tests.support.idle_site import ANN, open_idle_site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SERIES = composition(
    "Series",
    default_props=json.dumps({"title": "S", "scenes": [{"title": "A", "seconds": 1}, {"title": "B", "seconds": 2}]}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: bytes
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    url: str
    services: Services

    async def run(self, *arguments: str, text: str = "", **more: str) -> Ended:
        ended = await asyncio.to_thread(
            run_forked, arguments, cwd=CHECKOUT, env=environment(self.url, **more), text=text
        )
        return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr.decode())

    async def offers(self, line: str, words: list[str]) -> None:
        """Wait until bash would offer these words. A slow server exceeds the time limit, and nothing is offered."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while (found := await self.complete(line)) != words:
                assert found == []

    async def complete(self, line: str) -> list[str]:
        """Return what bash would offer for the last word of the line."""
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        ended = await self.run(_RENDERCAST_COMPLETE="complete_bash", **words)
        assert (ended.code, ended.err) == (0, "")
        return ended.out.decode().split()


Start = Callable[..., Awaitable[Render]]


@asynccontextmanager
async def serving(data_dir: Path, *catalog: Composition) -> AsyncIterator[Server]:
    """Serve the API with these compositions; nothing is rendered."""
    async with open_idle_site(data_dir, *catalog) as site:
        yield Server(url=site.url, services=site.services)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("data"), *COMPOSITIONS, SERIES) as server:
        yield server


@pytest.fixture
def start(server: Server) -> Start:
    """Start a render with `rendercast render` and return it."""

    async def start(*arguments: str, text: str = "") -> Render:
        ended = await server.run("render", *arguments, "--no-wait", text=text)
        assert ended.code == 0, ended.err
        return await server.services.renders.get(ANN, ended.out.decode().strip())

    return start


def input_props(render: Render) -> Any:
    return json.loads(render.input_props or "null")


@pytest.mark.parametrize("command", [["compositions"], ["compositions", "list"]], ids=" ".join)
async def test_compositions_are_listed_in_the_order_of_the_site(server: Server, command: list[str]) -> None:
    header, *lines = (await server.run(*command)).out.decode().splitlines()
    assert header.split() == ["id", "kind", "size", "fps", "duration", "outputs", "schema"]
    assert [line.split()[0] for line in lines] == [each.id for each in (*COMPOSITIONS, SERIES)]
    assert lines[1].split() == ["Promo", "video", "1280x720", "30", "3.0", "s", "13", "yes"]
    assert lines[2].split() == ["Card", "still", "800x600", "4", "no"]


async def test_the_list_as_json_has_one_object_a_line(server: Server) -> None:
    found = objects((await server.run("compositions", "--json")).out)
    assert [each["id"] for each in found] == [each.id for each in (*COMPOSITIONS, SERIES)]
    assert (found[1]["propsSchema"], found[2]["propsSchema"]) == (PROMO_SCHEMA, None)


async def test_compositions_that_are_too_large_for_one_response_are_listed(tmp_path: Path) -> None:
    large = json.dumps({"title": "x" * 200_000})
    catalog = [composition(f"Large{number}", default_props=large) for number in range(6)]
    async with serving(tmp_path, *catalog) as server:
        ended = await server.run("compositions")
    assert (ended.code, ended.err) == (0, "")
    assert [line.split()[0] for line in ended.out.decode().splitlines()[1:]] == [each.id for each in catalog]


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_a_composition_is_shown_as_json(server: Server, options: list[str]) -> None:
    shown = json.loads((await server.run("compositions", "show", "Promo", *options)).out)
    assert (shown["id"], shown["defaultProps"]) == ("Promo", json.loads(PROMO.default_props))
    assert shown["propsSchema"] == PROMO_SCHEMA


async def test_an_unknown_composition_is_reported_with_the_known_ones(server: Server) -> None:
    ended = await server.run("compositions", "show", "Nope")
    assert (ended.code, ended.out) == (1, b"")
    assert ended.err.startswith("rendercast: There is no composition Nope. Choose TextAnimation, Promo, Card,")
    rejected = await server.run("render", "-c", "Nope", "--set", "scenes[0].title=A")
    assert rejected.code == 1
    assert "/composition/id: There is no such composition. Choose TextAnimation, Promo," in rejected.err


async def test_props_come_from_a_file_and_from_options(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "props.json"
    file.write_text(json.dumps({"title": "From the file", "scenes": [{"title": "A", "seconds": 1}]}))
    changes = ["--set", "title=Hi", "--set", "scenes[0].seconds=3", "--set", "scenes[1].title=B"]
    render = await start("--composition", "Promo", "--props", str(file), *changes, "-c", "Promo")
    assert render.composition_id == "Promo"
    assert input_props(render) == {"title": "Hi", "scenes": [{"title": "A", "seconds": 3}, {"title": "B"}]}


async def test_props_come_from_standard_input(start: Start) -> None:
    render = await start("-c", "Promo", "--props", "-", text='{"title": "Grüße", "scenes": []}')
    assert input_props(render) == {"title": "Grüße", "scenes": []}


async def test_a_part_of_a_prop_is_changed_in_the_default_of_the_composition(start: Start) -> None:
    render = await start("-c", "Series", "--set", "scenes[1].seconds=5", "--set", "scenes[2].title=C")
    scenes = [{"title": "A", "seconds": 1}, {"title": "B", "seconds": 5}, {"title": "C"}]
    assert input_props(render) == {"scenes": scenes}


async def test_all_output_options_reach_the_server(start: Start) -> None:
    video = ["--width", "640", "--height", "360", "--fps", "24", "--scale", "2", "--bitrate", "900", "--muted"]
    made = (await start("-c", "Series", "--output", "webm", "--transparent", *video)).output_options
    assert (made.format, made.width, made.height, made.fps, made.scale) == ("vp9", 640, 360, 24, 2)
    assert (made.bitrate_kbps, made.muted, made.transparent) == (900, True, True)
    made = (await start("-c", "Series", "--output", "prores", "--prores-profile", "4444-xq")).output_options
    assert (made.format, made.prores_profile) == ("prores", "4444-xq")
    made = (await start("-c", "Series", "--output", "gif", "--every-nth-frame", "2", "--loops", "0")).output_options
    assert (made.format, made.every_nth_frame, made.loops) == ("gif", 2, 0)
    made = (await start("-c", "Card", "--output", "jpg", "--quality", "70", "--frame", "0")).output_options
    assert (made.format, made.quality, made.frame) == ("jpeg", 70, 0)
    made = (await start("A text", "--output", "mp3", "--bitrate", "128")).output_options
    assert (made.format, made.bitrate_kbps) == ("mp3", 128)


async def test_without_options_the_server_chooses_the_output(start: Start) -> None:
    assert (await start("-c", "Card")).output_options.format == "png"
    assert (await start("-c", "Series")).output_options.format == "h264"


async def test_problems_are_listed_with_their_paths(server: Server) -> None:
    arguments = ["-c", "Promo", "--set", 'title=""', "--set", "scenes[0].seconds=x", "--set", "size=9", "--crf", "99"]
    ended = await server.run("render", *arguments, "--json")
    assert ended.code == 1
    first, *lines = ended.err.splitlines()
    assert first == "rendercast: The input is not valid."
    paths = [line.partition(": ")[0] for line in lines]
    assert "/composition/props/title" in paths
    assert "/composition/props/scenes/0/seconds" in paths
    assert paths[-1] == "/output/video/crf"
    (error,) = objects(ended.out)
    assert error["error"]["code"] == "INVALID_INPUT"
    assert [f"{each['path']}: {each['message']}" for each in error["error"]["problems"]] == lines


async def test_the_same_key_with_other_props_is_rejected(server: Server, start: Start) -> None:
    arguments = ["-c", "Series", "--idempotency-key", "key-1", "--set"]
    first = await start(*arguments, "title=A")
    assert (await start(*arguments, "title=A")).id == first.id
    rejected = await server.run("render", *arguments, "title=B", "--json")
    (error,) = objects(rejected.out)
    assert (rejected.code, error["error"]["code"]) == (1, "IDEMPOTENCY_KEY_REUSED")
    assert error["error"]["renderId"] == first.id


async def test_renders_of_compositions_are_listed_by_their_ids(server: Server, start: Start) -> None:
    await start("-c", "Card", "--output", "pdf")
    header, line = (await server.run("list", "--first", "1")).out.decode().splitlines()
    assert header.split()[-3:] == ["format", "size", "content"]
    assert line.split()[-2:] == ["pdf", "Card"]


async def test_props_that_are_too_large_are_rejected(server: Server, tmp_path: Path) -> None:
    for length, words in ((300_000, "/composition/props: "), (10_000_000, "request body")):
        (tmp_path / "props.json").write_text(json.dumps({"title": "x" * length}))
        ended = await server.run("render", "-c", "Series", "--props", str(tmp_path / "props.json"))
        assert (ended.code, words in ended.err) == (1, True), ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "Series", "A text"],
        ["-c", "Series", "--style", "scale"],
        ["-c", "Series", "--seconds", "1"],
        ["-c", "Series", "--props", "nowhere.json"],
        ["-c", "Series", "--set", "title"],
        ["-c", "Series", "--set", "title.a=1"],
        ["-c", "Series", "--set", "scenes[9]=1"],
        ["-c", "Series", "--output", "avi"],
        ["-c", "Series", "--output", "gif", "--crf", "20"],
        ["-c", "Series", "--fps", "nan"],
        ["A text", "--set", "title=A"],
        ["A text", "--props", "props.json"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_reported_without_a_start(server: Server, arguments: list[str]) -> None:
    before = (await server.services.renders.quota(ANN)).remaining
    ended = await server.run("render", *arguments)
    assert (ended.code, "Traceback" in ended.err) == (2, False), ended.err
    assert (await server.services.renders.quota(ANN)).remaining == before


async def test_shells_complete_ids_and_formats(server: Server) -> None:
    ids = [each.id for each in (*COMPOSITIONS, SERIES)]
    await server.offers("rendercast render --composition ", ids)
    await server.offers("rendercast render -c S", ["Series"])
    await server.offers("rendercast compositions show P", ["Promo"])
    assert await server.complete("rendercast compositions s") == ["show"]
    assert await server.complete("rendercast render --output we") == ["webp", "webm"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense"])
async def test_completion_is_silent_without_a_server(server: Server, url: str) -> None:
    assert await server.complete(f"rendercast render --url {url} -c ") == []


async def test_completion_does_not_wait_for_a_server_that_does_not_respond(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts connections
        port = silent.getsockname()[1]
        assert await server.complete(f"rendercast render --url http://127.0.0.1:{port} -c ") == []
