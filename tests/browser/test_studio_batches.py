"""A batch in the studio: one card that opens."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.sites import open_fake_site
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, assert_accessible
from tests.support.api_client import CANCEL, DELETE, PROPS, open_client
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

START = """
mutation ($input: StartRendersInput!) {
  startRenders(input: $input) { ... on StartRendersSuccess { renders { id } } }
}
"""


async def test_a_batch_is_one_card_that_opens_and_can_be_cancelled(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, quota_limit=100) as site,
        visit(site.url, bypass_csp=True, ignored=("404 (Not Found)",)) as ann,  # the posters of the fake backend
        open_client(site.url) as elsewhere,
    ):
        site.backend.capacity = 3
        await elsewhere.execute(CANCEL, id=await elsewhere.start_render(text="Single"))
        rows = [{"animationProps": {**PROPS, "text": f"Row {number}"}} for number in range(23)]
        started = await elsewhere.execute(START, input={"renders": rows, "batchId": "May"})
        ids = [render["id"] for render in started["renders"]]
        await ann.open_studio()
        batch = ann.card("May")
        await expect(batch).to_contain_text("0 of 23 done", timeout=TIMEOUT_MS)
        await expect(ann.cards).to_have_count(1)
        await ann.button("Show older renders").click()
        await expect(ann.card("Single")).to_be_visible(timeout=TIMEOUT_MS)
        await wait_until(lambda: {*ids[:2]} <= {*site.backend.starts})
        site.backend.finish(ids[0])
        site.backend.break_down(ids[1], retryable=False)
        await expect(batch).to_contain_text("1 of 23 done · 1 failed", timeout=TIMEOUT_MS)
        await expect(batch).to_contain_text("The first: It broke.")
        await ann.button("Show renders of the batch May").click()
        await expect(batch.get_by_role("listitem")).to_have_count(23)
        await expect(batch.get_by_role("listitem").first).to_contain_text("Row 22")
        await assert_accessible(ann.page)
        await ann.button("Cancel all of the batch May").click()
        await expect(batch).to_contain_text("1 of 23 done · 1 failed · 21 cancelled", timeout=TIMEOUT_MS)
        await expect(ann.button("Cancel all of the batch May")).to_be_hidden()
        await elsewhere.execute(DELETE, id=ids[0])
        await expect(batch.get_by_role("listitem")).to_have_count(22, timeout=TIMEOUT_MS)
        await expect(batch).to_contain_text("0 of 22 done · 1 failed · 21 cancelled", timeout=TIMEOUT_MS)
        await ann.button("Hide renders of the batch May").click()
        await expect(ann.cards).to_have_count(2)
        for render_id in ids[1:]:
            await elsewhere.execute(DELETE, id=render_id)
        await expect(batch).to_have_count(0, timeout=TIMEOUT_MS)
