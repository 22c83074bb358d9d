"""startRender with the text renderer's own composition, which has the checks of `animationProps`."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.media import OutputFormat, OutputKind, formats_of
from services.renders.text_animation import SITE, text_composition
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import INPUT, Client, open_client
from tests.support.api_compositions import catalog_of
from tests.support.api_server import NewHourClock, rewired, serve
from tests.support.api_site import USERS
from tests.support.fake_backend import FakeBackend
from tests.support.memory_catalog import MemoryCatalogStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMATS = frozenset(OutputFormat) - formats_of(OutputKind.AUDIO)
TOO_LONG = "Animation too long. Maximum duration is 20 seconds."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def text_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server whose backend has the text renderer's catalog."""
    backend = FakeBackend(capacity=0, site=SITE, formats=FORMATS)
    backend.catalog = (text_composition(width=1280, height=720, formats=FORMATS),)
    clock = NewHourClock()
    catalogs = MemoryCatalogStore(clock)
    await catalogs.put(catalog_of(backend, clock))
    folder = tmp_path_factory.mktemp("data")
    async with (
        open_embedded(load_settings(data_dir=folder)) as services,
        serve(rewired(services, backend=backend, clock=clock, catalogs=catalogs)) as url,
        open_client(url) as client,
    ):
        yield client


@pytest.fixture
def ann(text_site: Client) -> Client:
    return Client(text_site.http, user=next(USERS))


def of(**props: object) -> dict[str, object]:
    return {"id": "TextAnimation", "props": props}


async def test_its_props_are_those_of_an_animation(ann: Client) -> None:
    props = {
        "text": "Hi\nthere",
        "style": "slide-up",
        "fontSize": 64,
        "fontWeight": 700,
        "italic": True,
        "backgroundColor": "navy",
        "durationInFrames": 30,
    }
    result = await ann.start_composition("TextAnimation", props, output={"video": {"format": "VP9", "fps": 60}})
    assert result["render"]["animationProps"] == {
        "text": "Hi\nthere",
        "style": "SLIDE_UP",
        "fontFamily": "Inter",
        "fontSize": 64.0,
        "color": "#ffffff",
        "backgroundColor": "navy",
        "durationInFrames": 30,
        "fps": 30,
    }
    render = await ann.execute(INPUT, id=result["render"]["id"])
    assert render["inputProps"] == {**props, "fontFamily": "Inter", "fontSize": 64.0, "color": "#ffffff", "fps": 30}
    assert (render["totalFrames"], render["output"]["width"], render["output"]["height"]) == (60, 1280, 720)


async def test_the_same_input_in_either_form_is_the_same_request(ann: Client) -> None:
    first = await ann.start(key="k", text="Hi")
    again = await ann.start_composition(
        "TextAnimation", {"text": "Hi", "fontSize": 64, "durationInFrames": 90.0, "backgroundColor": None}, key="k"
    )
    assert (again["duplicate"], again["render"]["id"]) == (True, first["render"]["id"])


async def test_all_props_have_defaults(ann: Client) -> None:
    (listed,) = await ann.execute("{ compositions { id defaultProps propsSchema outputs } }")
    assert listed["outputs"] == [name.name for name in OutputFormat if name in FORMATS]
    result = await ann.start_composition("TextAnimation", {})
    render = await ann.execute(INPUT, id=result["render"]["id"])
    assert render["inputProps"] | {"fontWeight": 400, "italic": False} == listed["defaultProps"]
    assert set(listed["propsSchema"]["properties"]) == {*listed["defaultProps"], "backgroundColor"}


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"text": ""}, ["text"]),
        ({"text": " \u200b"}, ["text"]),
        ({"text": "x" * 501}, ["text"]),
        ({"text": "a\x00b"}, ["text"]),
        ({"text": 7}, ["text"]),
        ({"style": "SLIDE_UP"}, ["style"]),
        ({"fontFamily": " "}, ["fontFamily"]),
        ({"fontFamily": None}, ["fontFamily"]),
        ({"fontSize": 7}, ["fontSize"]),
        ({"fontSize": "64"}, ["fontSize"]),
        ({"fontSize": True}, ["fontSize"]),
        ({"fontWeight": 1000}, ["fontWeight"]),
        ({"fontWeight": 450.5}, ["fontWeight"]),
        ({"fontWeight": "bold"}, ["fontWeight"]),
        ({"italic": "yes"}, ["italic"]),
        ({"color": "no colour"}, ["color"]),
        ({"backgroundColor": "none"}, ["backgroundColor"]),
        ({"backgroundColor": 1}, ["backgroundColor"]),
        ({"durationInFrames": 0}, ["durationInFrames"]),
        ({"durationInFrames": 1.5}, ["durationInFrames"]),
        ({"durationInFrames": 601}, ["durationInFrames"]),
        ({"durationInFrames": 1e300}, ["durationInFrames"]),
        ({"fps": 60}, ["fps"]),
        ({"shadow": 1}, ["shadow"]),
        ({"text": "", "color": "no colour", "durationInFrames": 601}, ["text", "color", "durationInFrames"]),
        ({f"unknown{n}": 1 for n in range(40)}, None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_invalid_props_are_reported_with_their_paths(
    ann: Client, props: dict[str, Any], expected: list[str] | None
) -> None:
    found = [path for path, _ in await ann.problems(composition=of(**props))]
    if expected is not None:
        assert found == [f"/composition/props/{name}" for name in expected]


async def test_problems_of_props_and_output_are_reported_together(ann: Client) -> None:
    assert await ann.problems(
        composition=of(text="", durationInFrames=601), output={"audio": {"bitrateKbps": 1}}, generationId=""
    ) == [
        ("/generationId", "Use 1 to 200 characters without control characters, or omit it."),
        ("/composition/props/text", "This text must not be empty."),
        ("/composition/props/durationInFrames", TOO_LONG),
        (
            "/output/audio/format",
            "TextAnimation can't be rendered as MP3. Choose "
            + ", ".join(name.name for name in OutputFormat if name in FORMATS)
            + ".",
        ),
        ("/output/audio/bitrateKbps", "Choose a bit rate from 8 to 512 kbit/s."),
    ]


async def test_its_length_is_that_of_its_props(ann: Client) -> None:
    still = {"still": {"frame": 30}}
    assert (await ann.start_composition("TextAnimation", {"durationInFrames": 31}, output=still))["render"]
    ((path, message),) = await Client(ann.http, user=next(USERS)).problems(
        composition=of(durationInFrames=30), output=still
    )
    assert path == "/output/still/frame"
    assert "from 0 to 29" in message
