"""The scripts of a bundle in the browser's cache: what a server answers, which the host has changed."""

import json
from pathlib import Path

import pytest

from services.settings import CHECKOUT
from tests.remotion_helper.projects import NODE, run
from tests.support.node_renderer import needs_node

pytestmark = [pytest.mark.slow, needs_node]

MODULE = CHECKOUT / "services" / "backends" / "remotion_node" / "host-serving.mjs"
SCRIPT = """
const http = require("node:http");
const { writeFileSync } = require("node:fs");
const [module, folder] = process.argv.slice(1);
const NEVER = "no-store";

const open = (status) => new Promise((resolve) => {
  const server = http.createServer((request, response) => {
    response.writeHead(status, { "Cache-Control": NEVER });
    response.end("content");
  });
  server.unref().listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
});
const get = async (url, tag) => {
  const answer = await fetch(url, { headers: { connection: "close", ...(tag ? { "if-none-match": tag } : {}) } });
  const { status, headers } = answer;
  return { status, cache: headers.get("cache-control"), tag: headers.get("etag"), text: await answer.text() };
};

import(module).then(async ({ cacheScripts }) => {
  let current = folder;
  cacheScripts(() => current);
  const site = await open(200);
  const missing = await open(404);
  current = undefined;
  const other = await open(200);
  const first = await get(`${site}/bundle.js`);
  const again = await get(`${site}/bundle.js`, first.tag);
  writeFileSync(`${folder}/bundle.js`, "changed");
  const changed = await get(`${site}/bundle.js`, first.tag);
  const rest = ["public/a.js", "index.html", "none.js"].map((name) => `${site}/${name}`);
  rest.push(`${missing}/bundle.js`, `${other}/bundle.js`);
  const unchanged = await Promise.all(rest.map((url) => get(url)));
  console.log(JSON.stringify([first, again, changed, unchanged]));
  process.exit(0);
});
"""


def test_scripts_are_cached_until_they_change_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    for name in ("bundle.js", "index.html", "public/a.js"):
        (tmp_path / name).write_text("content")
    first, again, changed, unchanged = json.loads(
        run([NODE, "--eval", SCRIPT, str(MODULE), str(tmp_path)], cwd=CHECKOUT)
    )
    assert (first["status"], first["cache"], first["text"]) == (200, "no-cache", "content")
    assert again == {"status": 304, "cache": "no-cache", "tag": first["tag"], "text": ""}
    assert (changed["status"], changed["text"]) == (200, "content")
    assert changed["tag"] != first["tag"]
    assert {(each["cache"], each["tag"]) for each in unchanged} == {("no-store", None)}
