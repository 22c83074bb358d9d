"""The studio's list of renders: older pages, late messages and deleted renders."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.sites import open_fake_site
from tests.browser.visitors import (
    NEEDS_BROWSER,
    TIMEOUT_MS,
)
from tests.support.api_client import CANCEL, open_client

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]


async def test_older_renders_are_loaded_on_request(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        site.backend.capacity = 0
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


async def test_a_late_message_replaces_no_newer_copy_and_restores_no_deleted_render(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.open_studio()
        assert await ann.page.evaluate(
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


async def test_a_refresh_removes_deleted_renders_and_keeps_those_older_than_the_page(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.open_studio()
        assert await ann.page.evaluate(
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
