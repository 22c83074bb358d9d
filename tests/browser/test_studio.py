"""The studio as a person uses it: in Debian's Chromium, on the real `rendercast dev`, with no other host within reach.

Where a test must hold a render at a point of its life, a backend of tests/fakes.py renders, behind the same server.
Skipped without Chromium or the npm packages; where they must run, name the browser: CHROMIUM=/usr/bin/chromium.
SCREENSHOTS=docs/images takes the README's pictures again.
"""

import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    ViewportSize,
    expect,
)

from resolvers.auth import LocalDeveloper, open_bearer_tokens
from resolvers.graphiql import CDN
from resolvers.studio import load_studio
from services.runtime import open_embedded
from services.settings import CHECKOUT, load_settings
from tests.browser.test_graphiql_page import CHROMIUM, PATIENCE_MS, Visitor, open_browser
from tests.end_to_end.processes import Running, dev_servers, quiet_window_s
from tests.fakes import FakeBackend
from tests.resolvers.clients import CANCEL, open_client
from tests.resolvers.serving import rewired, serve
from tests.tokens import SECRET, token_of

AXE = CHECKOUT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERVED_FROM_HERE = any(name.startswith("graphql-ws@") for name in load_studio(load_settings()).parts)
SMALL = {"local_width": 640, "local_height": 360}
FULL = {"local_width": 1280, "local_height": 720}  # 20 s of it take a while to render
LARGE = {"local_width": 2560, "local_height": 1440}  # and of this, longer than a page takes to load
PHONE = ViewportSize(width=360, height=780)
DESKTOP = ViewportSize(width=1440, height=900)
SMALLEST_TARGET = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8
LOST = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")  # what Chromium says while the server is away

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        "CHROMIUM" not in os.environ and not (CHROMIUM and SERVED_FROM_HERE and AXE.exists()),
        reason="needs Chromium (CHROMIUM= or `chromium` on the path) and web/node_modules (`npm ci --prefix web`)",
    ),
]

Start = Callable[..., Running]
Visit = Callable[..., AbstractAsyncContextManager["Person"]]


@dataclass(kw_only=True)
class Person(Visitor):
    """Somebody who uses the studio."""

    excused: list[str] = field(default_factory=list)

    @property
    def cards(self) -> Locator:
        return self.page.get_by_role("list", name="Your renders").get_by_role("listitem")

    @property
    def bar(self) -> Locator:
        return self.page.get_by_role("progressbar")

    @property
    def connection(self) -> Locator:
        return self.page.get_by_role("status")

    def card(self, text: str) -> Locator:
        return self.cards.filter(has=self.page.get_by_role("heading", name=text, exact=True))

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def come(self) -> None:
        """Open the page and wait until it shows what there is."""
        await self.open("/")
        await expect(self.connection).to_have_text("Live", timeout=PATIENCE_MS)

    async def render(self, text: str = "Hello", *, seconds: float = 3, style: str = "Fade in") -> Locator:
        """Fill in the form, press Render, and return what comes of it."""
        await self.page.get_by_label("Text", exact=True).fill(text)
        await self.page.get_by_label("Duration").fill(str(seconds))
        await self.page.get_by_role("radio", name=style).check()
        await self.button("Render").click()
        card = self.card(text)
        await expect(card).to_have_count(1, timeout=PATIENCE_MS)
        return card

    async def hurry(self) -> None:
        """Press "Try now", which may be gone just now as the page has tried by itself."""
        await self.page.evaluate("document.querySelector('#try-now').click()")

    async def see_progress(self, at_least: float = 1) -> float:
        """Wait until the one bar has come so far, and return how far."""
        await self.page.wait_for_function(
            "(least) => document.querySelector('progress:not([hidden])')?.value >= least",
            arg=at_least,
            timeout=PATIENCE_MS,
        )
        return float(await self.bar.evaluate("(bar) => bar.value"))

    def _hear(self, message: ConsoleMessage) -> None:
        if not any(words in message.text for words in self.excused):
            super()._hear(message)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with dev_servers(tmp_path) as start:
        yield start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Visit:
    """Send somebody to a site, and see in the end that the page did nothing it should not."""

    @asynccontextmanager
    async def visit(site: str, *, excused: tuple[str, ...] = (), **options: Any) -> AsyncIterator[Person]:
        async with await browser.new_context(**{"viewport": DESKTOP, **options}) as context:
            person = Person(page=await context.new_page(), site=site, excused=list(excused))
            yield person
            assert person.complaints == []

    return visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Faked:
    """A server in this process, whose backend does what it is told."""

    url: str
    backend: FakeBackend


@asynccontextmanager
async def open_faked(folder: Path, **settings: object) -> AsyncIterator[Faked]:
    given = {"look_interval_s": 0.05, "quota_window_s": quiet_window_s(), **settings}
    async with open_embedded(load_settings(data_dir=folder, poll_interval_s=0.05, **given)) as services:
        backend = FakeBackend()
        faked = rewired(services, backend=backend, clock=services.clock)
        async with serve(faked, authenticate=LocalDeveloper(services.settings)) as url:
            yield Faked(url=url, backend=backend)


async def test_a_first_visitor_starts_a_render_watches_it_to_its_end_and_plays_it(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await expect(ann.page).to_have_title("Rendercast")
        await expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible()
        await expect(ann.page.get_by_text("5 of 5 renders left")).to_be_visible()

        card = await ann.render("Fish & <b>chips</b>", seconds=4, style="Typewriter")
        await expect(card.get_by_text("Done")).to_be_visible(timeout=PATIENCE_MS)
        await expect(card).to_contain_text(re.compile(r"Typewriter · 4 s · Inter 96 · .* · \d+ kB · \$0"))
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Fish & <b>chips</b>” is done.")
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible()
        await expect(card.locator("video")).to_have_count(0)  # nothing is loaded before somebody wants it
        poster = card.locator("img")
        await expect(poster).to_have_js_property("naturalWidth", 640, timeout=PATIENCE_MS)
        assert await poster.bounding_box() == await card.locator(".screen").bounding_box()

        await ann.button("Play “Fish & <b>chips</b>”").click()
        video = card.locator("video")
        await expect(video).to_have_js_property("duration", 4, timeout=PATIENCE_MS)
        await expect(video).to_have_js_property("videoWidth", 640)
        await expect(video).to_be_focused()
        await expect(video).to_have_attribute("poster", re.compile(r"/files/\w+\.jpg\?"))
        await expect(poster).to_have_count(0)
        await ann.page.wait_for_function("document.querySelector('video').currentTime > 0", timeout=PATIENCE_MS)

        async with ann.page.expect_download() as downloading:
            await card.get_by_role("link", name="Download").click()
        assert (await (await downloading.value).path()).read_bytes()[4:8] == b"ftyp"

        await ann.button(re.compile("^Delete")).click()
        await ann.button("Keep it").click()
        await expect(card).to_be_visible()
        await ann.button(re.compile("^Delete")).click()
        await ann.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(ann.cards).to_have_count(0, timeout=PATIENCE_MS)
        await ann.page.reload()
        await expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible(timeout=PATIENCE_MS)


async def test_a_render_is_cancelled_and_tried_again(start: Start, visit: Visit) -> None:
    async with visit(start(**LARGE).url) as ann:
        await ann.come()
        card = await ann.render(seconds=20)
        await ann.see_progress()
        await expect(card).to_contain_text(re.compile(r"\d+% · \d+ of 600 frames · about \d+ \w+ left"))
        await card.get_by_role("button", name="Cancel “Hello”").click()
        await expect(card.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.bar).to_have_count(0)
        await card.get_by_role("button", name="Retry").click()
        await expect(ann.cards).to_have_count(2, timeout=PATIENCE_MS)
        await expect(ann.cards.first.get_by_role("button", name="Cancel")).to_be_visible()
        await card.last.get_by_role("button", name="Retry").click()
        await expect(card.last).to_contain_text("tried again already", timeout=PATIENCE_MS)


async def test_a_reload_midway_finds_the_bar_where_it_was(start: Start, visit: Visit) -> None:
    async with visit(start(**LARGE).url) as ann:
        await ann.come()
        await ann.render(seconds=20)
        before = await ann.see_progress(2)
        await ann.page.reload()
        after = await ann.see_progress(before)
        assert before <= after < 100
        await ann.see_progress(after + 1)  # and it goes on


async def test_a_page_resumes_when_the_server_was_killed_midway(start: Start, visit: Visit) -> None:
    first = start(**FULL)
    async with visit(first.url, excused=LOST) as ann:
        await ann.come()
        await ann.page.evaluate("""() => {
            window.seen = [];
            const bar = () => document.querySelector("progress:not([hidden])");
            new MutationObserver(() => { if (bar()) window.seen.push(bar().value); })
                .observe(document.querySelector("#renders"), {subtree: true, childList: true, attributes: true});
        }""")
        card = await ann.render(seconds=20)
        await ann.see_progress(5)
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=PATIENCE_MS)
        await expect(ann.bar).to_be_visible()
        start(after=first, **FULL)
        await ann.hurry()
        await expect(ann.connection).to_have_text("Live", timeout=PATIENCE_MS)
        await expect(card.get_by_text("Done")).to_be_visible(timeout=PATIENCE_MS)
        seen = await ann.page.evaluate("window.seen")
        assert seen == sorted(seen)


async def test_a_start_that_was_asked_for_without_a_connection_comes_about_once(start: Start, visit: Visit) -> None:
    first = start(**SMALL)
    async with visit(first.url, excused=LOST) as ann:
        await ann.come()
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=PATIENCE_MS)
        await ann.button("Render").click()
        await ann.button("Starting…").click()
        start(after=first, **SMALL)
        await ann.hurry()
        await expect(ann.cards).to_have_count(1, timeout=PATIENCE_MS)
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible(timeout=PATIENCE_MS)


async def test_when_the_quota_is_reached_it_says_so_and_when_there_is_more(start: Start, visit: Visit) -> None:
    async with visit(start(quota_limit=1, **SMALL).url) as ann:
        await ann.come()
        await ann.render(seconds=0.5)
        await expect(ann.page.get_by_text("0 of 1 render left")).to_be_visible(timeout=PATIENCE_MS)
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_contain_text("Render quota exceeded.", timeout=PATIENCE_MS)
        await expect(ann.page.get_by_role("group", name="Quota")).to_contain_text(re.compile(r"again at .*, in \d+ h"))
        await expect(ann.cards).to_have_count(1)


async def test_what_is_wrong_with_the_input_is_said_where_it_is_wrong(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        text = ann.page.get_by_label("Text", exact=True)
        color = ann.page.get_by_label("Text colour", exact=True)
        await text.fill(" ")
        await color.fill("blurple")
        await ann.button("Render").click()
        await expect(text).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
        await expect(text).to_have_accessible_description(re.compile("Write some text to animate."))
        await expect(text).to_be_focused()
        await expect(color).to_have_accessible_description(
            "Give a CSS colour, such as #ff8800, rgb(255 136 0) or orange."
        )
        await text.fill("Better")
        await color.fill("orange")
        await expect(ann.page.get_by_label("Pick the text colour")).to_have_value("#ffa500")
        await ann.button("Render").click()
        await expect(ann.card("Better")).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.page.locator("[aria-invalid]")).to_have_count(0)


async def test_all_of_it_works_by_keyboard(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        press = ann.page.keyboard.press

        async def tab_to(role: str, name: str) -> None:
            wanted = ann.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
            for _ in range(30):
                await press("Tab")
                if await wanted.evaluate("(it) => it === document.activeElement"):
                    return
            raise AssertionError(name)

        await tab_to("textbox", "Text")
        await press("Control+A")
        await ann.page.keyboard.type("Keys")
        await tab_to("radio", "Typewriter")
        await press("ArrowRight")
        await expect(ann.page.get_by_role("radio", name="Slide up")).to_be_checked()
        await tab_to("slider", "Duration")
        await press("Home")
        await tab_to("button", "Render")
        await press("Enter")
        await expect(ann.button("Play “Keys”")).to_be_visible(timeout=PATIENCE_MS)
        await tab_to("button", "Play “Keys”")
        await press("Enter")
        await expect(ann.page.locator("video")).to_be_focused(timeout=PATIENCE_MS)
        await expect(ann.page.locator("video")).to_have_js_property("duration", 0.5, timeout=PATIENCE_MS)
        await tab_to("button", "Delete “Keys”")
        await press("Enter")
        await tab_to("button", "Delete")
        await press("Enter")
        await expect(ann.cards).to_have_count(0, timeout=PATIENCE_MS)
        await expect(ann.page.get_by_role("heading", name="Your renders")).to_be_focused()


async def test_it_looks_well_in_light_dark_and_on_a_phone_and_axe_finds_nothing(start: Start, visit: Visit) -> None:
    async with visit(start(**FULL).url, bypass_csp=True) as ann:  # for axe alone
        await ann.come()
        await ann.render("Made with Rendercast", seconds=2, style="Scale")
        await ann.button("Play “Made with Rendercast”").click(timeout=PATIENCE_MS)
        await ann.page.wait_for_function("document.querySelector('video').ended", timeout=PATIENCE_MS)
        await ann.page.get_by_label("Background", exact=True).fill("#7c2d12")
        await ann.render("Words on their way\nto being a video", seconds=20, style="Typewriter")
        await ann.see_progress(20)
        await ann.page.screenshot(path=picture("studio-light"))
        await ann.page.emulate_media(color_scheme="dark")
        await ann.page.screenshot(path=picture("studio-dark"))
        await ann.page.set_viewport_size(PHONE)
        await ann.page.get_by_role("heading", name="Your renders").evaluate("(it) => it.scrollIntoView()")
        await ann.page.screenshot(path=picture("studio-phone"))
        await assert_axe_finds_nothing(ann.page)
        await ann.page.emulate_media(color_scheme="light")
        await assert_axe_finds_nothing(ann.page)
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        await assert_targets_are_large_enough(ann.page)
        await ann.page.set_viewport_size(DESKTOP)
        await assert_axe_finds_nothing(ann.page)


async def test_axe_finds_nothing_in_the_rarer_sights_either(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_faked(tmp_path, quota_limit=4) as site,
        visit(site.url, bypass_csp=True, excused=LOST, color_scheme="dark") as ann,
    ):
        await ann.come()
        await assert_axe_finds_nothing(ann.page)
        await ann.button("Render").click()
        await expect(ann.cards).to_contain_text("Starting the renderer", timeout=PATIENCE_MS)
        site.backend.break_down(site.backend.starts[0], retryable=False)
        await expect(ann.page.get_by_text("It broke.", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await ann.page.get_by_label("Font").fill("")
        await ann.button("Render").click()
        await expect(ann.page.get_by_text("Name a font family")).to_be_visible(timeout=PATIENCE_MS)
        await assert_axe_finds_nothing(ann.page)
        await ann.button(re.compile("^Delete")).click()
        await assert_axe_finds_nothing(ann.page)


async def assert_axe_finds_nothing(page: Page) -> None:
    await page.add_script_tag(path=AXE)
    found = await page.evaluate("axe.run()")
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []
    assert len(found["passes"]) > 10


async def assert_targets_are_large_enough(page: Page) -> None:
    small = await page.evaluate(
        """(least) => [...document.querySelectorAll("a, button, input, textarea")]
            .filter((it) => it.checkVisibility() && !it.matches(".skip"))
            .filter((it) => Math.min(it.getBoundingClientRect().width, it.getBoundingClientRect().height) < least)
            .map((it) => it.outerHTML)""",
        SMALLEST_TARGET,
    )
    assert small == []


def picture(name: str) -> Path | None:
    """Return where to keep a picture, if they are to be kept."""
    folder = os.environ.get("SCREENSHOTS")
    return None if folder is None else Path(folder) / f"{name}.png"


async def test_a_place_in_the_queue_moves_up_though_no_message_tells_so(tmp_path: Path, visit: Visit) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann, open_client(site.url) as elsewhere:
        site.backend.capacity = 0
        first = await elsewhere.started(text="First")
        await ann.come()
        second = await ann.render("Second")
        await expect(second).to_contain_text("Number 2 in the queue", timeout=PATIENCE_MS)
        await expect(ann.card("First")).to_contain_text("Next in the queue")
        site.backend.capacity = 1
        await elsewhere.until(first, status="RENDERING")
        await expect(second).to_contain_text("Next in the queue", timeout=PATIENCE_MS)


async def test_each_step_of_a_render_is_shown_to_its_failure_which_is_said_in_words(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann:
        await ann.come()
        card = await ann.render()
        await expect(card).to_contain_text(
            re.compile("Rendering Starting the renderer.*0% · 0 of 90 frames"), timeout=PATIENCE_MS
        )
        [render_id] = site.backend.starts
        site.backend.progress(render_id, 30)
        await expect(card).to_contain_text(
            re.compile(r"Rendering Drawing frames.*\d+% · 30 of 90 frames"), timeout=PATIENCE_MS
        )
        site.backend.break_down(render_id, retryable=False)
        await expect(card.get_by_text("Failed", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await expect(card.get_by_text("It broke.")).to_be_visible()
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Hello” failed. It broke.")


async def test_an_address_that_no_longer_works_is_replaced(start: Start, visit: Visit) -> None:
    asked: list[Request] = []

    async with visit(start(**SMALL).url, permissions=["clipboard-read", "clipboard-write"]) as ann:
        await ann.come()
        card = await ann.render(seconds=0.5)
        ann.excused.append("404")

        async def lose_the_first(route: Route) -> None:
            asked.append(route.request)
            await (route.fulfill(status=404) if len(asked) == 1 else route.continue_())

        await ann.page.route("**/files/**", lose_the_first)
        await ann.button("Play “Hello”").click(timeout=PATIENCE_MS)
        await expect(card.locator("video")).to_have_js_property("duration", 0.5, timeout=PATIENCE_MS)
        assert len(asked) > 1

        await card.get_by_role("button", name="Copy link").click()
        await expect(card).to_contain_text("Link copied. It works until", timeout=PATIENCE_MS)
        link = await ann.page.evaluate("navigator.clipboard.readText()")
        assert (await ann.page.request.get(link)).headers["content-type"] == "video/mp4"


async def test_a_poster_that_can_not_be_loaded_leaves_the_drawing(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, excused=("404",)) as ann:
        await ann.come()
        await ann.page.route(re.compile(r"\.jpg\?"), lambda route: route.fulfill(status=404))
        async with ann.page.expect_response(re.compile(r"\.jpg\?"), timeout=PATIENCE_MS):
            card = await ann.render(seconds=0.5)
        await expect(card.locator("img")).to_have_count(0, timeout=PATIENCE_MS)
        await expect(card.locator(".words")).to_be_visible()


async def test_who_needs_a_token_is_asked_for_one_and_again_when_it_is_refused(tmp_path: Path, visit: Visit) -> None:
    settings = load_settings(data_dir=tmp_path, jwt_secret=SECRET, studio=True)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings) as authenticate,
        serve(services, authenticate=authenticate) as url,
        visit(url) as ann,
        open_client(url, token=token_of("ann")) as elsewhere,
    ):
        await elsewhere.ask(CANCEL, id=await elsewhere.started(text="Mine", durationInFrames=600))
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=PATIENCE_MS)
        await expect(ann.page.get_by_text("Sign in to do this.")).to_be_visible()
        token = ann.page.get_by_label("Token")
        await expect(token).to_be_focused()
        await token.fill("no token at all")
        await token.press("Enter")
        await expect(ann.page.get_by_text("Your sign-in is not valid here.")).to_be_visible(timeout=PATIENCE_MS)
        await token.fill(token_of("ann"))
        await token.press("Enter")
        await expect(ann.card("Mine")).to_be_visible(timeout=PATIENCE_MS)
        await ann.page.reload()
        await expect(ann.card("Mine")).to_be_visible(timeout=PATIENCE_MS)  # this tab stays signed in
        await ann.button("Sign out").click()
        await expect(token).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.cards).to_have_count(0)


async def test_what_one_person_asked_for_is_not_done_for_the_next(tmp_path: Path, visit: Visit) -> None:
    settings = load_settings(data_dir=tmp_path, jwt_secret=SECRET, studio=True)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings) as authenticate,
        serve(services, authenticate=authenticate) as url,
        visit(url) as ann,
    ):
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=PATIENCE_MS)
        await ann.button("Render").click()
        await expect(ann.button("Starting…")).to_be_visible()
        await ann.page.get_by_label("Token").fill(token_of("bob"))
        await ann.button("Sign in").click()
        await expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.button("Render")).to_be_visible()
        await expect(ann.cards).to_have_count(0)


async def test_older_renders_are_shown_when_asked_for(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_faked(tmp_path) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        site.backend.capacity = 0
        for number in range(25):
            render_id = await elsewhere.started(text=f"Number {number}")
            await elsewhere.ask(CANCEL, id=render_id)
        await ann.come()
        await expect(ann.cards).to_have_count(20, timeout=PATIENCE_MS)
        await expect(ann.cards.first).to_contain_text("Number 24")
        await ann.button("Show older renders").click()
        await expect(ann.cards).to_have_count(25, timeout=PATIENCE_MS)
        await expect(ann.page.get_by_role("heading", name="Number 4", exact=True)).to_be_focused()
        await expect(ann.button("Show older renders")).to_be_hidden()


async def test_no_late_copy_of_a_render_undoes_a_newer_one_or_brings_back_a_deleted_one(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann:
        await ann.come()
        assert await ann.page.evaluate(
            """async () => {
                const { Renders } = await import(document.querySelector("link[href$='renders.js']").href);
                const changes = [];
                const renders = new Renders((now, before) => changes.push([before?.revision ?? 0, now?.revision ?? 0]));
                for (const revision of [1, 3, 2]) renders.merge({ id: "a", revision, status: "RENDERING" });
                renders.remove("a");
                renders.merge({ id: "a", revision: 4, status: "COMPLETE" });
                return changes;
            }"""
        ) == [[0, 1], [1, 3], [3, 0]]


async def test_what_was_deleted_elsewhere_meanwhile_goes_and_what_is_older_than_the_page_stays(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann:
        await ann.come()
        assert await ann.page.evaluate(
            """async () => {
                const { Renders } = await import(document.querySelector("link[href$='renders.js']").href);
                const at = (day) => ({ id: `${day}`, revision: 1, createdAt: `2026-01-0${day}T00:00Z` });
                const renders = new Renders(() => {});
                for (const day of [1, 2, 3, 4]) renders.merge(at(day));
                const pageInfo = { hasNextPage: true, endCursor: "cursor" };
                await renders.readNewest(async () => ({ edges: [{ node: at(4) }, { node: at(2) }], pageInfo }));
                return [...renders].map(({ id }) => id);
            }"""
        ) == ["4", "2", "1"]


async def test_who_wants_less_motion_sees_the_preview_at_rest_until_asking_for_it(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, reduced_motion="reduce") as ann:
        await ann.come()
        stage = ann.page.get_by_role("img", name="Preview of “Hello! Drawn while you watch.”")
        await expect(stage).to_be_visible()
        moving = "(it) => it.getAnimations({ subtree: true }).length"
        assert await stage.evaluate(moving) == 0
        await ann.button("Play preview").click()
        assert await stage.evaluate(moving) > 0


async def test_without_node_it_takes_graphql_ws_from_the_cdn_and_says_what_to_do_if_that_is_out_of_reach(
    start: Start, visit: Visit
) -> None:
    file = CHECKOUT / "web" / "node_modules" / "graphql-ws" / "umd" / "graphql-ws.min.js"
    async with visit(start(**SMALL, web_dir="nowhere").url, excused=("ERR_FAILED",)) as ann:
        await ann.open("/")
        await expect(ann.page.get_by_role("alert")).to_contain_text("npm ci --prefix web", timeout=PATIENCE_MS)
        [refused] = ann.complaints
        assert refused.startswith(f"asked for {CDN}graphql-ws@")
        ann.complaints.clear()

        cors = {"Access-Control-Allow-Origin": "*"}
        await ann.page.route(re.compile(re.escape(CDN)), lambda route: route.fulfill(path=file, headers=cors))
        await ann.page.reload()
        await expect(ann.connection).to_have_text("Live", timeout=PATIENCE_MS)
