"""The page of one render over HTTP; tests/browser tests it in a browser."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import httpx
import pytest

from app import create_app
from pages.share import DELETED, EXPIRED, INVALID, NO_OUTPUT, UNAVAILABLE
from pages.share_content import render_content
from pages.studio import FOLDER
from services.media import Media, OutputFormat, OutputOptions
from services.models import Output, Render, RenderStatus
from tests.support.api_client import DELETE, SHARE, TEST_TIMEOUT_S, Client
from tests.support.api_server import named_user, rewired
from tests.support.api_site import Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN_ID = "01m817gzatj1v633w9kvyqtevh"


async def finished(ann: Client, backend: FakeBackend, **props: object) -> str:
    render_id = await ann.start_render(**props)
    await ann.until(render_id, status="RENDERING")
    backend.finish(render_id)
    await ann.until(render_id, status="COMPLETE")
    return render_id


async def token_of(ann: Client, render_id: str) -> str:
    made = await ann.execute(SHARE, id=render_id)
    return str(made["token"])


async def expired_token_of(site: Site, render_id: str) -> str:
    [render] = await site.services.store.get_many([render_id])
    tokens = site.services.renders.tokens
    assert tokens is not None
    return tokens.sign(render, site.clock.now() - timedelta(seconds=1)).token


async def get(site: Site, render_id: str, token: str | None) -> httpx.Response:
    return await site.http.get(f"/r/{render_id}", params={} if token is None else {"token": token})


def text_of(page: httpx.Response) -> str:
    [main] = re.findall("<main.*?>(.*)</main>", page.text, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", main))


def metadata(html: str) -> dict[str, str]:
    found = re.findall(r'<meta property="(.*?)" content="(.*?)">', html)
    return {name: unescape(value) for name, value in found}


async def test_a_finished_render_has_a_player_a_download_and_its_facts(
    site: Site, ann: Client, backend: FakeBackend
) -> None:
    render_id = await finished(ann, backend, text="Hello!")
    page = await get(site, render_id, await token_of(ann, render_id))
    assert page.status_code == 200
    video = f"https://videos.example/{render_id}.mp4"
    assert f'<video class="media" src="{video}" poster="https://videos.example/{render_id}.jpg"' in page.text
    assert f'href="{video}?download=TextAnimation-{render_id}.mp4" download' in page.text
    assert "1280\N{MULTIPLICATION SIGN}720 · 3 s · MP4 · 1 kB" in text_of(page)
    [valid_for] = re.findall(r'data-valid-for="(\d+)"', page.text)  # not a time: the visitor's clock may be wrong
    assert 3600 - 60 <= int(valid_for) <= 2 * 3600 + 300  # the backend's clock is up to an hour ahead
    assert metadata(page.text) == {
        "og:title": "Hello!",
        "og:type": "video.other",
        "og:description": "1280\N{MULTIPLICATION SIGN}720 · 3 s · MP4 · 1 kB",
        "og:image": f"https://videos.example/{render_id}.jpg",
        "og:video": video,
        "og:video:type": "video/mp4",
        "og:video:width": "1280",
        "og:video:height": "720",
    }


async def test_it_is_stored_and_indexed_nowhere_and_admits_no_inline_code(
    site: Site, ann: Client, backend: FakeBackend
) -> None:
    render_id = await finished(ann, backend)
    token = await token_of(ann, render_id)
    for page in (await get(site, render_id, token), await get(site, render_id, None)):
        assert page.headers["cache-control"] == "private, no-store"
        assert page.headers["x-robots-tag"] == "noindex, nofollow, noarchive"
        assert page.headers["referrer-policy"] == "no-referrer"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script>|<style|\sstyle=|\son\w+=", page.text) == []
        assert token not in page.text
    assert (await site.http.head(f"/r/{render_id}", params={"token": token})).status_code == 200


async def test_all_files_of_the_page_are_served(site: Site) -> None:
    page = await get(site, UNKNOWN_ID, None)
    loaded = re.findall(r'(?:src|href)="\.\./([^"]+)"', page.text)
    for path in loaded:
        assert (await site.http.get(f"/{path}")).status_code == 200, path
    names = {path.split("/", 3)[3] for path in loaded}
    assert names >= {f"share/{file.name}" for file in (FOLDER / "share").iterdir()} - {"share/share.html"}
    imported = re.findall(
        r'^import .* "\.\./(.+)";', (FOLDER / "share" / "share.js").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert names >= set(imported)


async def test_an_unfinished_render_shows_its_progress(site: Site, ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    await ann.until(render_id, status="RENDERING")
    backend.progress(render_id, 45)
    await ann.until(render_id, progress=50)
    page = await get(site, render_id, await token_of(ann, render_id))
    assert page.status_code == 200
    assert f'data-id="{render_id}"' in page.text
    assert 'max="100" value="50"' in page.text
    assert "Rendering   50%" in text_of(page)
    assert "<video" not in page.text
    assert "og:video" not in metadata(page.text)


@pytest.mark.parametrize(
    ("status", "words"), [(RenderStatus.FAILED, "has failed"), (RenderStatus.CANCELLED, "was cancelled")]
)
async def test_a_render_without_an_output_says_why(
    site: Site, make_render: Callable[..., Render], status: RenderStatus, words: str
) -> None:
    content = render_content(make_render(status=status), site.services.renders).content
    assert words in content
    assert "progress" not in content
    assert "data-id" not in content


@pytest.mark.parametrize(
    ("format_", "start"),
    [
        (OutputFormat.VP9, "<video "),
        (OutputFormat.GIF, "<img "),
        (OutputFormat.MP3, "<audio "),
        (OutputFormat.PNG, "<img "),
        (OutputFormat.PDF, "<h1 "),
    ],
)
async def test_each_kind_of_output_is_shown(
    site: Site, make_render: Callable[..., Render], format_: OutputFormat, start: str
) -> None:
    output = Output(bucket="fake", key=f"a.{format_}", size_bytes=2_340_000)
    render = make_render(
        status=RenderStatus.COMPLETE,
        output=output,
        output_options=OutputOptions(format=format_),
        media=None if format_ is OutputFormat.MP3 else Media(frames=90, fps=29.97, width=64, height=36),
    )
    made = render_content(render, site.services.renders)
    assert re.fullmatch(rf"<article [^>]*>{start}.*", made.content)
    assert " · 2.3 MB</p>" in made.content
    assert ("64\N{MULTIPLICATION SIGN}36" in made.content) == (format_ is not OutputFormat.MP3)
    assert ("· 3 s ·" in made.content) == (format_ in {OutputFormat.VP9, OutputFormat.GIF})
    assert ("og:image" in made.metadata) == (format_ in {OutputFormat.GIF, OutputFormat.PNG})


async def test_a_title_can_contain_no_markup(site: Site, ann: Client, backend: FakeBackend) -> None:
    title = "</title><script>alert(1)</script>\"' onload=x {{ metadata }} {{ content }}"
    render_id = await finished(ann, backend, text=title)
    page = await get(site, render_id, await token_of(ann, render_id))
    assert "<script>" not in page.text
    assert text_of(page).strip().startswith(title)
    assert metadata(page.text)["og:title"] == title
    assert page.text.count("<main") == 1


def changed(token: str) -> list[str]:
    """Return tokens that are not signed, made from a genuine one."""
    prefix, payload, signature = token.split(".")
    return [
        f"{prefix}.{payload}.{signature[:-2]}AA",
        f"{prefix}.{payload[:-4]}AAAA.{signature}",
        f"{prefix}.{payload}",
        f"{prefix}.{payload}.",
        f"rcr2.{payload}.{signature}",
        f"{token}.{signature}",
        token[:-1],
        token.upper(),
        f"{token} ",
        "rcr1..",
        "\N{SNOWMAN}",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "",
    ]


async def test_any_other_token_gets_the_same_404_as_an_unknown_id(
    site: Site, ann: Client, bob: Client, backend: FakeBackend
) -> None:
    render_id, other_id = await finished(ann, backend), await finished(bob, backend)
    token, other = await token_of(ann, render_id), await token_of(bob, other_id)
    rejected = [await get(site, render_id, each) for each in (None, other, *changed(token))]
    rejected += [
        await get(site, each, token) for each in (other_id, UNKNOWN_ID, "x", f"{render_id}x", render_id.upper())
    ]
    backend.unavailable = True  # nothing is read before the token is verified
    rejected.append(await get(site, render_id, other))
    for page in rejected:
        assert (page.status_code, page.text) == (404, rejected[0].text)
        assert INVALID in text_of(page)
        assert page.headers.keys() == rejected[0].headers.keys()


async def test_an_expired_link_is_gone_unless_it_was_changed(site: Site, ann: Client, backend: FakeBackend) -> None:
    render_id = await finished(ann, backend)
    token = await expired_token_of(site, render_id)
    page = await get(site, render_id, token)
    assert (page.status_code, EXPIRED in text_of(page)) == (410, True)
    for each in changed(token):
        assert (await get(site, render_id, each)).status_code == 404, each


async def test_a_deleted_render_and_a_deleted_file_are_gone(site: Site, ann: Client, backend: FakeBackend) -> None:
    render_id = await finished(ann, backend)
    token = await token_of(ann, render_id)
    backend.outputs.clear()
    page = await get(site, render_id, token)
    assert (page.status_code, NO_OUTPUT in text_of(page)) == (410, True)
    await ann.execute(DELETE, id=render_id)
    page = await get(site, render_id, token)
    assert (page.status_code, DELETED in text_of(page)) == (410, True)


async def test_an_outage_is_reported_as_one(site: Site, ann: Client, backend: FakeBackend) -> None:
    render_id = await finished(ann, backend)
    token = await token_of(ann, render_id)
    backend.unavailable = True
    page = await get(site, render_id, token)
    assert (page.status_code, page.headers["retry-after"], UNAVAILABLE in text_of(page)) == (503, "30", True)


class SlowBackend(FakeBackend):
    """A backend that looks for an output until `found` is set. `sought` are the keys of the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.found = asyncio.Event()
        self.sought: asyncio.Queue[str] = asyncio.Queue()

    async def has_output(self, output: Output) -> bool:
        self.sought.put_nowait(output.key)
        return await self.found.wait()


async def test_one_link_reads_no_more_at_once_than_a_user_and_delays_no_other(
    site: Site, ann: Client, backend: FakeBackend
) -> None:
    shared_id, other_id = await finished(ann, backend), await finished(ann, backend)
    shared, other = await token_of(ann, shared_id), await token_of(ann, other_id)
    slow = SlowBackend()
    app = create_app(rewired(site.services, backend=slow, clock=site.clock), authenticate=named_user)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
        asyncio.timeout(TEST_TIMEOUT_S),
    ):
        pages = [asyncio.create_task(http.get(f"/r/{shared_id}", params={"token": shared})) for _ in range(12)]
        limit = site.services.settings.graphql.max_concurrent_operations
        assert {await slow.sought.get() for _ in range(limit)} == {f"{shared_id}.mp4"}
        pages.append(asyncio.create_task(http.get(f"/r/{other_id}", params={"token": other})))
        assert await slow.sought.get() == f"{other_id}.mp4"
        slow.found.set()
        assert {page.status_code for page in await asyncio.gather(*pages)} == {200}
