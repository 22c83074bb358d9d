"""The menu "Copy as" in the studio: what is copied starts the same render, whatever the settings contain."""

import ast
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from services.settings import CHECKOUT
from tests.browser.conftest import Visit
from tests.browser.hostile_settings import HOSTILE, INPUTS, OUTPUTS, STRANGE_NAMES, animation, assert_same, composition
from tests.browser.sites import open_fake_site, remotion_compositions
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, Visitor, assert_accessible, visiting
from tests.support.api_client import pauses
from tests.support.fake_backend import ANIMATION, FakeBackend

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

CURL = os.environ.get("CURL") or shutil.which("curl")
SHELLS = [path for name in ("sh", "bash", "zsh") if (path := shutil.which(name))]
MAX_S = 150.0  # the longest, of the type checker, takes some seconds
TSC = CHECKOUT / "web" / "tools" / "node_modules" / ".bin" / "tsc"
REACT_TYPES = CHECKOUT / "clients" / "react" / "node_modules" / "@types" / "react"
ANIMATION_FIELDS = "text style fontFamily fontSize fontWeight italic color backgroundColor durationInFrames fps"
OUTPUT_FIELDS = "format width height fps crf bitrateKbps transparent proResProfile everyNthFrame loops frame quality"
READ = f"""query ($id: ID!) {{
  render(id: $id) {{ compositionId inputProps animationProps {{ {ANIMATION_FIELDS} }} output {{ {OUTPUT_FIELDS} }} }}
}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The server's URL, a client of its API, a page without content, and the URL of the module that writes the code."""

    url: str
    backend: FakeBackend
    user: Visitor
    module: str
    http: httpx.AsyncClient
    folder: Path

    async def write(self, kind: str, *inputs: dict[str, Any], signs_in: bool = False) -> list[str]:
        """Return the code that the studio's module writes for each input."""
        script = """async ([module, kind, inputs, target]) => {
            const snippets = await import(module);
            return inputs.map((input) => snippets[kind](input, target));
        }"""
        target = {"url": self.url, "signsIn": signs_in}
        found = await self.user.page.evaluate(script, [self.module, kind, inputs, target])
        return [str(code) for code in found]

    async def started(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return what was started, from the result of the mutation."""
        assert result["data"]["startRender"]["__typename"] == "StartRenderSuccess", result
        return await self.render(result["data"]["startRender"]["render"]["id"])

    async def started_since(self, before: set[str]) -> str:
        """Wait until the backend has started another render than these, and return its id."""
        for pause_s in pauses():
            if started := set(self.backend.starts) - before:
                return started.pop()
            await asyncio.sleep(pause_s)
        raise AssertionError

    async def render(self, render_id: str) -> dict[str, Any]:
        """Return the input of a render in the form of `startRender`, with all options of its output."""
        read = await self.http.post("/graphql", json={"query": READ, "variables": {"id": render_id}})
        found: dict[str, Any] = read.json()["data"]["render"]
        return found

    async def post(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        response = await self.http.post("/graphql", json={"query": query, "variables": variables})
        result: dict[str, Any] = response.json()
        return result

    async def shell(self, shell: str, script: str, **environment: str) -> bytes:
        """Run a script in the empty folder, which must succeed and leave the folder empty. Return its output."""
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            script,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(MAX_S):
            output, errors = await process.communicate()
        assert process.returncode == 0, (script, output, errors)
        assert list(self.folder.iterdir()) == [], script
        return output


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    compositions = (ANIMATION, *remotion_compositions())
    data = tmp_path_factory.mktemp("data")
    async with (
        open_fake_site(data, compositions=compositions, quota_limit=1000, max_mutations_per_minute=1000) as site,
        visiting(browser, lambda page: Visitor(page=page, site=site.url, ignored=("404",)), bypass_csp=True) as user,
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=MAX_S) as http,
    ):
        await user.open("/healthz")  # any page of the server, without the list of the renders that are started here
        [module] = re.findall(r'"(assets/studio/\w+/snippets\.js)"', (await http.get("/")).text)
        folder = tmp_path_factory.mktemp("empty")
        site.backend.capacity = 1000
        yield Studio(url=site.url, backend=site.backend, http=http, user=user, module=f"/{module}", folder=folder)


async def test_the_menu_copies_the_settings_of_the_form(studio: Studio, visit: Visit) -> None:
    async with visit(studio.url, bypass_csp=True, permissions=["clipboard-read", "clipboard-write"]) as ann:
        await ann.open_studio()
        text = ann.page.get_by_label("Text", exact=True)
        menu = ann.page.get_by_text("Copy as", exact=True)
        await text.fill("it's\nmine")
        for name, start in (("curl", f"curl {studio.url}/graphql"), ("Command line", "rendercast render --url ")):
            await menu.click()
            await assert_accessible(ann.page)
            await ann.button(name).click()
            await expect(ann.page.get_by_text(f"Copied as {name}.")).to_be_visible(timeout=TIMEOUT_MS)
            copied = await ann.page.evaluate("navigator.clipboard.readText()")
            assert copied.startswith(start)
            assert "it'\\''s" in copied
        await ann.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # without HTTPS
        await text.fill('"')
        await menu.click()
        await ann.button("GraphQL").click()
        field = ann.page.get_by_label("Code for GraphQL")
        await expect(field).to_be_focused(timeout=TIMEOUT_MS)
        assert (await field.input_value()).startswith(
            'mutation {\n  startRender(input: {animationProps: {text: "\\"", '
        )


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
async def test_curl_starts_the_same_render_in_every_shell(studio: Studio) -> None:
    for number, (given, code) in enumerate(zip(INPUTS, await studio.write("curl", *INPUTS), strict=True)):
        output = await studio.shell(SHELLS[number % len(SHELLS)], code)
        assert_same(await studio.started(json.loads(output)), given)


async def test_the_graphql_document_starts_the_same_render(studio: Studio) -> None:
    for given, document in zip(INPUTS, await studio.write("graphql", *INPUTS), strict=True):
        _, _, variables = document.partition("\n# Variables: ")
        result = await studio.post(document, json.loads(variables or "{}"))
        assert_same(await studio.started(result), given)
        assert bool(variables) == (given == composition(STRANGE_NAMES))


async def test_every_shell_reads_the_same_arguments(studio: Studio) -> None:
    """The arguments are printed instead of executed, because the command takes half a second of CPU time."""
    printed = 'rendercast() { printf "%s\\0" "$@"; }\n'
    given = [each for each in INPUTS if "animationProps" in each and each["animationProps"]["text"] != "-"]
    codes = await studio.write("commandLine", *given)
    for shell in SHELLS:
        output = await studio.shell(shell, "\n".join(f"{printed}{code}printf '\\0'" for code in codes))
        lines = output.decode().split("\0\0")[:-1]
        for each, line in zip(given, lines, strict=True):
            *_, end, text = line.split("\0")
            assert (end, text) == ("--", each["animationProps"]["text"])


@pytest.mark.parametrize(
    "given",
    [
        animation(text="-x '; touch pwned; ' $(touch pwned)\n\\ \N{GRINNING FACE}", fontFamily="-x, 'y"),
        animation(text="-"),
        composition(STRANGE_NAMES),
        {**animation(), "output": OUTPUTS[0]},
        {**animation(), "output": OUTPUTS[3]},
    ],
    ids=["text", "dash", "composition", "video", "still"],
)
async def test_the_command_line_starts_the_same_render(studio: Studio, given: dict[str, Any]) -> None:
    [code] = await studio.write("commandLine", given)
    code = code.replace("rendercast render ", "rendercast render --no-wait ", 1)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    output = await studio.shell(SHELLS[0], code, PATH=path)
    assert_same(await studio.render(output.decode().strip()), given)


async def test_the_python_program_passes_the_same_values(studio: Studio) -> None:
    for given, code in zip(INPUTS, await studio.write("python", *INPUTS, signs_in=True), strict=True):
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
        [call] = [each for each in calls if isinstance(each.func, ast.Attribute) and each.func.attr == "start"]
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        if "composition" in given:
            assert [ast.literal_eval(each) for each in call.args] == list(given["composition"].values())
        else:
            assert {"text": options["text"], **options["animation"]} == given["animationProps"]
        assert options.get("output") == given.get("output")


async def test_the_python_program_starts_the_same_render_and_follows_it(studio: Studio) -> None:
    given = animation(text=" ".join(HOSTILE[:8]))
    [code] = await studio.write("python", given)
    before = set(studio.backend.starts)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(MAX_S):
        render_id = await studio.started_since(before)
        studio.backend.finish(render_id)
        output, _ = await process.communicate()
    assert re.search(rf"^COMPLETE 100 \S*/outputs/{render_id}\.mp4\n\Z", output.decode(), re.MULTILINE)
    assert_same(await studio.render(render_id), given)


@pytest.mark.skipif(
    "NODE" not in os.environ and not REACT_TYPES.exists(),
    reason="needs clients/react/node_modules (`npm ci --prefix clients/react`)",
)
async def test_the_react_components_type_check(studio: Studio, tmp_path: Path) -> None:
    clients = CHECKOUT / "clients"
    paths = {
        "@rendercast/client": [str(clients / "typescript" / "src" / "index.ts")],
        "@rendercast/react": [str(clients / "react" / "src" / "index.ts")],
        "react": [str(REACT_TYPES)],
        "react/*": [f"{REACT_TYPES}/*"],
    }
    options = {"strict": True, "noEmit": True, "jsx": "react-jsx", "module": "ESNext", "moduleResolution": "bundler"}
    options |= {"target": "ES2022", "lib": ["ES2023", "DOM", "DOM.Iterable"], "types": [], "skipLibCheck": True}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**options, "paths": paths}}))
    for number, code in enumerate(await studio.write("react", *INPUTS, signs_in=True)):
        (tmp_path / f"app{number}.tsx").write_text(code, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(TSC, "--project", tmp_path, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(MAX_S):
        output, _ = await process.communicate()
    assert (process.returncode, output.decode()) == (0, "")


async def test_no_code_contains_control_characters_that_terminals_interpret(studio: Studio) -> None:
    given = animation(text="a\x1b[201~\x9b\x07\x7f\r", fontFamily="\x00\x1b")
    for kind in ("curl", "commandLine", "graphql", "react", "python"):
        for code in await studio.write(kind, given, composition({"\x1b": "\x9b\x1b"})):
            assert [character for character in code if not character.isprintable() and character != "\n"] == [], kind


async def test_a_token_is_never_part_of_the_code(studio: Studio) -> None:
    [code] = await studio.write("curl", animation(), signs_in=True)
    assert '-H "Authorization: Bearer $RENDERCAST_TOKEN"' in code
    [code] = await studio.write("curl", animation())
    assert "Authorization" not in code
