"""The studio's list of renders: older pages, late messages and deleted renders."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.relays import Relay
from tests.browser.sites import open_fake_site, remotion_compositions
from tests.browser.visitors import (
    NEEDS_BROWSER,
    TIMEOUT_MS,
)
from tests.support.api_client import CANCEL, DELETE, open_client
from tests.support.fake_backend import ANIMATION

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def test_older_renders_are_loaded_on_request(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        for number in range(25):
            render_id = await elsewhere.start_render(text=f"Number {number}")
            await elsewhere.execute(CANCEL, id=render_id)
        await ann.open_studio()
        await expect(ann.cards).to_have_count(20, timeout=TIMEOUT_MS)
        await expect(ann.cards.first).to_contain_text("Number 24")
        await ann.button("Show older renders").click()
        await expect(ann.cards).to_have_count(25, timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("heading", name="Number 4", exact=True)).to_be_focused()
        await expect(ann.button("Show older renders")).to_be_hidden()


async def test_a_late_message_replaces_no_newer_copy_and_restores_no_deleted_render(page: Page) -> None:
    assert await page.evaluate(
        """async () => {
            const { RenderStore } = await import(document.querySelector("link[href$='render-store.js']").href);
            const changes = [];
            const renders = new RenderStore((now, before) => {
                changes.push([before?.revision ?? 0, now?.revision ?? 0]);
            });
            for (const revision of [1, 3, 2]) renders.merge({ id: "a", revision, status: "RENDERING" });
            renders.remove("a");
            renders.merge({ id: "a", revision: 4, status: "COMPLETE" });
            return changes;
        }"""
    ) == [[0, 1], [1, 3], [3, 0]]


async def test_a_refresh_removes_deleted_renders_and_keeps_those_older_than_the_page(page: Page) -> None:
    assert await page.evaluate(
        """async () => {
            const { RenderStore } = await import(document.querySelector("link[href$='render-store.js']").href);
            const at = (day) => ({ id: `${day}`, revision: 1, createdAt: `2026-01-0${day}T00:00Z` });
            const renders = new RenderStore(() => {});
            for (const day of [1, 2, 3, 4]) renders.merge(at(day));
            const pageInfo = { hasNextPage: true, endCursor: "cursor" };
            await renders.readNewest(async () => ({ edges: [{ node: at(4) }, { node: at(2) }], pageInfo }));
            return [...renders].map(({ id }) => id);
        }"""
    ) == ["4", "2", "1"]


async def test_a_render_that_is_deleted_elsewhere_is_removed(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann, open_client(site.url) as elsewhere:
        await site.backend.stop_starting()
        for text in ("First", "Second"):
            await elsewhere.execute(CANCEL, id=await elsewhere.start_render(text=text))
        await ann.open_studio()
        await expect(ann.cards).to_have_count(2, timeout=TIMEOUT_MS)
        [_, first] = await elsewhere.list_renders()
        await elsewhere.execute(DELETE, id=first["id"])
        await expect(ann.cards).to_have_count(1, timeout=TIMEOUT_MS)
        await expect(ann.card("Second")).to_be_visible()


async def test_titles_are_read_a_few_at_once_from_renders_with_large_props(tmp_path: Path, visit: Visit) -> None:
    relay = Relay(text="ReadInput(")
    async with (
        open_fake_site(tmp_path, compositions=(ANIMATION, *remotion_compositions()), quota_limit=20) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        await elsewhere.start_render(text="Moving")
        for number in range(6):
            await elsewhere.start_composition("Plain", {"title": f"Number {number}", "text": "x" * 250_000})
        await relay.listen(ann.page)
        await ann.open_studio()
        await expect(ann.card("Plain")).to_have_count(6, timeout=TIMEOUT_MS)
        await expect(ann.card("Moving")).to_be_visible()
        assert len({message["payload"]["variables"]["id"] for message in await relay.hold(3)}) == 3
        relay.release()
        for number in range(6):
            await expect(ann.card(f"Plain: Number {number}")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.button("Cancel “Plain: Number 5”")).to_be_visible()
        await expect(ann.page.get_by_role("alert")).to_be_hidden()
        await ann.button("Cancel “Plain: Number 5”").click()
        await expect(ann.card("Plain: Number 5")).to_contain_text("Cancelled", timeout=TIMEOUT_MS)


async def test_a_render_whose_props_can_not_be_read_has_the_id_of_its_composition_as_title(
    tmp_path: Path, visit: Visit
) -> None:
    async with (
        open_fake_site(tmp_path, compositions=remotion_compositions(), max_result_bytes=100_000) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        await elsewhere.start_composition("Plain", {"title": "Small"})
        await elsewhere.start_composition("Event", {"name": "Large", "text": "x" * 200_000})
        await ann.open_studio()
        await expect(ann.card("Plain: Small")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.card("Event")).to_be_visible()
        await elsewhere.start_composition("Card", {"heading": "Later"})
        await expect(ann.card("Card: Later")).to_be_visible(timeout=TIMEOUT_MS)
        await elsewhere.start_composition("Event", {"name": "Late", "text": "x" * 200_000})
        await expect(ann.card("Event")).to_have_count(2, timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_be_hidden()


async def test_titles_of_an_earlier_user_are_neither_shown_nor_requested(page: Page) -> None:
    assert await page.evaluate(
        """async () => {
            const { Titles } = await import(document.querySelector("link[href$='titles.js']").href);
            const requests = [];
            const titles = new Titles(() => new Promise((resolve) => requests.push(resolve)));
            const reads = ["a", "b", "c", "d"].map((id) => titles.read({ id, compositionId: "Promo" }));
            await Promise.resolve();
            titles.clear();
            for (const resolve of requests) resolve({ render: { inputProps: { title: "Secret" } } });
            return [await Promise.all(reads), requests.length];
        }"""
    ) == [[None, None, None, None], 3]
