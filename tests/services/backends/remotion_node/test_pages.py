"""The pages of the browser that a render draws with, and the errors in them."""

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
PAGES = {(1, 1): 1, (1, 3): 1, (2, 1): 2, (2, 2): 2, (2, 4): 1, (8, 1): 8, (8, 3): 5, (16, 2): 8, (32, 16): 4}


def test_renders_share_two_pages_for_each_core_and_none_has_more_than_one_for_each_or_eight() -> None:
    printed = run([NODE, "--eval", SCRIPT, str(MODULE), json.dumps([*PAGES])], cwd=CHECKOUT)
    assert dict(zip(PAGES, json.loads(printed), strict=True)) == PAGES


BROWSER = """
import(process.argv[1]).then(async ({ watchPages }) => {
  const running = { prepared: [], pages: new Set(), frames: { add() {} } };
  const ended = { ...running, prepared: [], pages: new Set() };
  const opened = [];
  const browser = { newPage: async (options) => {
    const page = { ...options, isClosed: false, close: async () => { page.isClosed = true; } };
    opened.push(page);
    return page;
  } };
  let job = running;
  const prepare = watchPages(browser, () => job, (each) => each === running);
  prepare(running, 3);
  const early = opened.length;
  const logged = [];
  const first = await browser.newPage({ onBrowserLog: (entry) => logged.push(entry), context: () => "map" });
  first.onBrowserLog("an error");
  const second = await browser.newPage({ context: () => "another map" });
  await browser.newPage({});
  await browser.newPage({});
  job = ended;
  prepare(ended, 1);
  const late = await browser.newPage({});
  console.log(JSON.stringify([
    early, first === opened[0], logged, first.context(), first.isClosed,
    second === opened[1], second.context(), running.pages.size, late.isClosed,
  ]));
});
"""


def test_a_page_that_was_opened_early_uses_the_options_of_the_call_that_gets_it() -> None:
    printed = run([NODE, "--eval", BROWSER, str(MODULE)], cwd=CHECKOUT)
    assert json.loads(printed) == [1, True, ["an error"], "map", False, True, "another map", 4, True]


ERRORS = """
import(process.argv[1]).then(async ({ watchPages }) => {
  const { EventEmitter } = require("node:events");
  const client = new EventEmitter();
  const job = { prepared: [], pages: new Set(), frames: { add() {} }, ended: 0, endDrawing: () => (job.ended += 1) };
  const browser = { newPage: async () => ({ _client: () => client }) };
  watchPages(browser, () => job, () => true);
  await browser.newPage({});
  const ended = [];
  for (const description of ["Error: net::ERR_CONNECTION_REFUSED", "Error: first", "Error: second"]) {
    client.emit("Runtime.exceptionThrown", { exceptionDetails: { exception: { className: "Error", description } } });
    ended.push(job.ended);
  }
  console.log(JSON.stringify([ended, job.uncaught.message]));
});
"""


def test_the_first_error_that_nothing_catches_ends_the_drawing_also_if_remotion_does_not_listen() -> None:
    printed = run([NODE, "--eval", ERRORS, str(MODULE)], cwd=CHECKOUT)
    assert json.loads(printed) == [[0, 1, 1], "first"]
