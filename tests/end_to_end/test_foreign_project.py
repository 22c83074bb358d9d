"""The compositions of a foreign Remotion project, from discovery to download, on a function for tests.

They are those of tests/remotion_helper/project as Remotion describes them: with nested props and unions, a still, one
without a schema, and one with a date, whose schema JSON can't express.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from services.media import FORMATS, OutputFormat
from services.settings import CHECKOUT
from tests.end_to_end.on_lambda import RemotionSite, client_settings, run, until_known
from tests.end_to_end.processes import COMMAND
from tests.end_to_end.production import Site, open_client, watching
from tests.support.api_client import INPUT, TEST_TIMEOUT_S, Client
from tests.support.lambda_compositions import SITE, SiteComposition
from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import LambdaServer
from tests.support.outputs import make_output

RECORDED: list[dict[str, Any]] = json.loads(
    (CHECKOUT / "tests" / "data" / "remotion-compositions.json").read_text(encoding="utf-8")
)["with_helper"]
*LISTED, HIDDEN = RECORDED
IDS = list(SITE)[:-1]  # the last one is hidden
COMPOSITIONS = "{ compositions { id kind width height fps durationInFrames defaultProps propsSchema outputs } }"
DOWNLOAD = "query ($id: ID!) { render(id: $id) { outputUrl(download: true) posterUrl } }"
STILLS = {"PNG", "JPEG", "WEBP", "PDF"}

SCENES = [{"text": "Coffee", "seconds": 1}, {"text": "Now", "seconds": 1.5}]
PICTURE = {"type": "image", "src": "https://example.com/a.png"}
DATE = "remotion-date:2026-05-06T07:08:09.000Z"
NESTED = {"anything": [1, {"deep": None, "text": "“é” 😀"}]}
# Composition, props, output, and the format, size and number of frames of what is made.
RENDERS: list[tuple[str, dict[str, Any], dict[str, Any] | None, str, tuple[int, int] | None, int]] = [
    ("Promo", {"title": "Now", "scenes": SCENES, "bg": PICTURE}, None, "H264", (1280, 720), 75),
    ("Promo", {}, {"video": {"format": "VP9", "fps": 60, "transparent": True}}, "VP9", (1280, 720), 60),
    ("Promo", {"scenes": SCENES}, {"gif": {"everyNthFrame": 5, "width": 320, "height": 180}}, "GIF", (320, 180), 15),
    ("Promo", {}, {"audio": {"format": "MP3"}}, "MP3", None, 30),
    ("Promo", {}, {"still": {"format": "JPEG", "frame": -1}}, "JPEG", (1280, 720), 1),
    ("Card", {"heading": "Sale"}, None, "PNG", (1200, 630), 1),
    ("Plain", NESTED, None, "H264", (640, 360), 50),
    ("Event", {"name": "Party", "at": DATE}, None, "H264", (640, 360), 60),
]
VIDEO = {"video": {"format": "H264"}}
# Composition, props, output, and the paths of the problems.
INVALID: list[tuple[str, object, dict[str, Any] | None, set[str]]] = [
    ("Promo", {"title": ""}, None, {"/composition/props/title"}),
    ("Promo", {"title": 7, "layout": "top"}, None, {"/composition/props/title", "/composition/props/layout"}),
    ("Promo", {"scenes": [{"text": "a", "seconds": 0}]}, None, {"/composition/props/scenes/0/seconds"}),
    ("Promo", {"scenes": []}, None, {"/composition/props/scenes"}),
    ("Promo", {"bg": {"type": "image", "src": 5}}, None, {"/composition/props/bg/src"}),
    ("Promo", "text", None, {"/composition/props"}),
    ("Card", {"color": "red"}, None, {"/composition/props/color"}),
    ("Card", {"size": 8.5}, VIDEO, {"/composition/props/size", "/output/video/format"}),
    ("Plain", {}, {"still": {"frame": 50}}, {"/output/still/frame"}),
    ("Plain", [], None, {"/composition/props"}),
    ("rendercast", {}, None, {"/composition/id"}),
]


async def listed(client: Client) -> list[dict[str, Any]]:
    """Wait until the compositions are known, and return those of the foreign project."""
    await until_known(client, IDS)
    first, *others = await client.execute(COMPOSITIONS)
    assert first["id"] == "TextAnimation"
    assert isinstance(others, list)
    return others


def described(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded composition as the API lists it."""
    is_still = recorded["durationInFrames"] == 1
    return {
        **{name: recorded[name] for name in ("id", "width", "height", "fps", "durationInFrames", "defaultProps")},
        "kind": "STILL" if is_still else "VIDEO",
        "propsSchema": HIDDEN["props"]["compositions"][recorded["id"]]["schema"],
        "outputs": [each.name for each in OutputFormat if not is_still or each.name in STILLS],
    }


async def started(client: Client, composition: str, props: object, output: dict[str, Any] | None) -> str:
    """Start a render and return its id."""
    result = await client.start_composition(composition, props, output=output)
    assert result["__typename"] == "StartRenderSuccess", result
    return str(result["render"]["id"])


async def test_the_compositions_are_listed_and_wrong_input_starts_nothing(
    site: Site, deployment: dict[str, object], function: LambdaServer, tmp_path: Path
) -> None:
    api, _ = site.start("serve --port 0", "worker", **deployment)
    async with open_client(api.url) as client:
        assert await listed(client) == [described(each) for each in LISTED]
        shown = await run([COMMAND, "compositions"], client_settings(api.url), folder=tmp_path)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert [line.split()[0] for line in shown.stdout.splitlines()] == ["id", *IDS]
        for composition, props, output, paths in INVALID:
            problems = await client.problems(composition={"id": composition, "props": props}, output=output)
            assert {path for path, _ in problems} == paths, problems
    assert function.invocations["compositions"] == 1
    assert function.starts == function.stills == []


async def test_each_composition_is_rendered_and_downloaded(
    site: Site, deployment: dict[str, object], function: LambdaServer
) -> None:
    api, _ = site.start("serve --port 0", "worker", **deployment)
    async with open_client(api.url) as client:
        await until_known(client, IDS)
        ids = [await started(client, composition, props, output) for composition, props, output, *_ in RENDERS]
        async with watching(ids[:1], client):
            pass
        for render_id, (composition, props, _, name, size, frames) in zip(ids, RENDERS, strict=True):
            await client.until(render_id, status="COMPLETE", progress=100, totalFrames=frames)
            made = await client.execute(INPUT, id=render_id)
            assert (made["compositionId"], made["inputProps"]) == (composition, props)
            assert (made["output"]["format"], made["output"]["width"], made["output"]["height"]) == (
                name,
                *(size or (None, None)),
            )
            await check_download(client, render_id, made["output"])
        assert await client.quota_used() == len(ids)
    sent = [(each["composition"], json.loads(each["inputProps"]["payload"])) for each in function.starts]
    sent += [(each["composition"], json.loads(each["inputProps"]["payload"])) for each in function.stills]
    assert sorted(map(str, sent)) == sorted(str((composition, props)) for composition, props, *_ in RENDERS)


async def check_download(client: Client, render_id: str, output: Mapping[str, Any]) -> None:
    """Check what the URL of an output returns."""
    made = FORMATS[OutputFormat[output["format"]]]
    found = await client.execute(DOWNLOAD, id=render_id)
    async with httpx.AsyncClient(trust_env=False, timeout=TEST_TIMEOUT_S) as http:
        response = await http.get(found["outputUrl"])
    assert response.content == make_output(OutputFormat[output["format"]], transparent=output["transparent"] or False)
    assert response.headers["content-type"] == made.media_type == output["contentType"]
    assert f'filename="{output["fileName"]}"' in response.headers["content-disposition"]
    assert output["fileName"].endswith(f"{render_id}.{made.extension}")
    assert (found["posterUrl"] is not None) == (made.kind in {"video", "gif"})


async def test_a_changed_site_is_discovered_and_one_that_cannot_be_read_changes_nothing(
    site: Site, deployment: dict[str, object], remotion_site: RemotionSite, function: LambdaServer, tmp_path: Path
) -> None:
    async def refreshed(*options: str) -> tuple[int, str, str]:
        command = [COMMAND, "compositions", "refresh", *options]
        ended = await run(command, {**site.settings, **deployment}, folder=tmp_path)
        return ended.returncode, ended.stdout, ended.stderr

    api, worker = site.start("serve --port 0", "worker", **deployment)
    async with open_client(api.url) as client:
        await until_known(client, IDS)
        assert worker.end() == 0  # else it could discover the changed site before the command
        teaser = SiteComposition(SITE["Plain"].described | {"id": "Teaser"}, SITE["Plain"].calculate)
        remotion_site.deploy({**SITE, "Teaser": teaser})
        assert await refreshed() == (0, "6 compositions.\nadded    Teaser\n", "")
        await until_known(client, [*IDS, "Teaser"])

        remotion_site.deploy({name: each for name, each in SITE.items() if name != "Plain"})
        unreachable = f"net::ERR_CONNECTION_REFUSED at {remotion_site.url}"
        function.fault(Fault.REJECTED, times=2, kind="compositions", message=unreachable)
        code, output, error = await refreshed()
        assert (code, output) == (1, "")
        assert "The compositions can't be refreshed" in error
        assert "SITE_UNREACHABLE" in error
        await until_known(client, [*IDS, "Teaser"])

        (second,) = site.start("worker", **deployment)
        render_id = await started(client, "Event", {"name": "Party"}, None)
        await client.until(render_id, status="COMPLETE")
        assert "the compositions can't be discovered; the last catalog stays in use" in second.log
        await until_known(client, [name for name in IDS if name != "Plain"])  # the worker's next attempt


async def test_a_composition_that_becomes_too_long_is_stopped_and_uses_no_quota(
    site: Site, deployment: dict[str, object], function: LambdaServer
) -> None:
    function.use_scenario_for_text("endless", Scenario.CHUNK_HANGS)
    api, _ = site.start("serve --port 0", "worker", max_duration_s=20, **deployment)
    async with open_client(api.url) as client:
        await until_known(client, IDS)
        scenes = [{"text": "endless", "seconds": 20.1}]
        render_id = await started(client, "Promo", {"scenes": scenes}, None)
        render = await client.until(render_id, status="FAILED")
        assert (render["error"]["code"], render["attempt"]) == ("DURATION_EXCEEDED", 1)
        assert render["error"]["message"] == "Animation too long. Maximum duration is 20 seconds."
        assert await client.quota_used() == 0
        (stopped,) = function.renders.values()
        assert await asyncio.to_thread(stopped.ended.wait, TEST_TIMEOUT_S)
        assert "renderMedia() got cancelled" in stopped.progress["errors"][-1]["message"]
