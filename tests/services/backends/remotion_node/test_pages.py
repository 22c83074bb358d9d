"""How many pages of the browser a render draws with."""

import json

import pytest

from services.settings import CHECKOUT
from tests.remotion_helper.projects import NODE, run
from tests.support.node_renderer import needs_node

pytestmark = [pytest.mark.slow, needs_node]

MODULE = CHECKOUT / "services" / "backends" / "remotion_node" / "host-pages.mjs"
SCRIPT = """
import(process.argv[1]).then(({ pagesPerRender }) => {
  console.log(JSON.stringify(JSON.parse(process.argv[2]).map(([cores, renders]) => pagesPerRender(cores, renders))));
});
"""
# By cores and renders at once.
PAGES = {(1, 1): 1, (1, 3): 1, (2, 1): 2, (2, 2): 1, (8, 1): 8, (8, 3): 3, (16, 1): 8, (16, 2): 8, (32, 8): 4}


def test_renders_share_all_cores_of_the_machine_and_none_has_more_than_eight_pages() -> None:
    printed = run([NODE, "--eval", SCRIPT, str(MODULE), json.dumps([*PAGES])], cwd=CHECKOUT)
    assert dict(zip(PAGES, json.loads(printed), strict=True)) == PAGES
