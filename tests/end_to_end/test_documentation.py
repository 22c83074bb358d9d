"""Runs the commands of the documentation in a fresh clone, with the server that its `make run` starts.

A documented command must be run here, or listed in documented_commands.py with the reason.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse, validate

from commands.client import compositions, render, renders
from commands.doctor import command as doctor
from commands.server import compositions as server_compositions
from resolvers.schema import build_schema
from services.settings import CHECKOUT, FIELDS, variable
from tests.end_to_end.clone import LOCKED, Clone
from tests.end_to_end.documented_commands import ELSEWHERE, NOT_HERE, NOT_RUN, RUN
from tests.end_to_end.documents import Block, blocks, commands_in_text, program, read_yaml
from tests.end_to_end.processes import assert_no_traceback
from tests.support.api_client import Client, open_client
from tests.support.api_stream import open_stream
from tests.support.server_process import free_port

LANGUAGES = {"sh", "console", "graphql", "json", "js", "ts", "tsx", "python", "yaml", "dockerfile", "dotenv", "text"}
BLOCKS = blocks()
NEIGHBOURS = [(one, then) for one, then in pairwise(BLOCKS) if one.page == then.page]
OPERATIONS = [(one, then) for one, then in NEIGHBOURS if (one.language, then.language) == ("graphql", "json")]
SESSIONS = [block for block in BLOCKS if block.language == "console"]
COMMANDS = sorted(
    {command for block in BLOCKS if block.language == "sh" for command in block.commands()} | set(commands_in_text())
)
HELP_OF = (compositions, doctor, render, renders, server_compositions)
HELP = [text for module in HELP_OF for name, text in vars(module).items() if name.endswith("HELP")]
EXAMPLES = [found for text in HELP for found in re.findall(r"^  (rendercast .*?)(?: +# .*)?$", text, re.MULTILINE)]
# Collects with the arguments of each command, in one process: its imports take two seconds of CPU time.
COLLECT = """
import json, sys, pytest
sys.exit(max(pytest.main(["--collect-only", "-q", *arguments]) for arguments in json.loads(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    folder = Path(tempfile.mkdtemp(prefix="clone-"))
    clone = Clone(folder)
    try:
        clone.make_run()
        yield clone
        clone.stop()
        assert_no_traceback(clone.log)
    finally:
        clone.stop()
        shutil.rmtree(folder)


@pytest.fixture
async def client(clone: Clone) -> AsyncIterator[Client]:
    async with open_client(clone.url) as client:
        yield client


def shape(value: Any) -> Any:
    """Return the structure of a response: names and types without values."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in value.items()}
        case list():
            return [shape(inner) for inner in value[:1]]
        case bool() | int() | float():
            return type(value).__name__
        case _:
            return "text or nothing"


def json_values(text: str) -> list[Any]:
    """Return the JSON values of a text in order."""
    found = []
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def demand(name: str) -> None:
    """Skip the test if a program is not installed, unless NODE is set, as in CI."""
    if name != "rendercast" and shutil.which(name) is None and "NODE" not in os.environ:
        pytest.skip(f"{name} is not installed")


def words(text: str) -> str:
    """Return a text without the parts that differ between runs: numbers, ids, times and spaces."""
    text = re.sub(r"\b0[0-9a-z]{25}\b", "ID", text)
    text = re.sub(r"until .*", "until", text)
    text = re.sub(r"[\d.]*\d", "0", text)
    return re.sub(r"[\s━]+", " ", text).strip()


def test_every_block_names_its_language() -> None:
    assert [block for block in BLOCKS if block.language not in LANGUAGES] == []


def test_every_command_is_run_here_or_listed_with_a_reason() -> None:
    elsewhere = {"make", ".venv/bin/pytest", ".venv/bin/python", *NOT_HERE}
    posts = {command for command in COMMANDS if command.startswith("curl http://127.0.0.1:8000/graphql ")}
    here = {command for command in COMMANDS if program(command) not in elsewhere} - posts
    assert here == set(RUN) | set(NOT_RUN)


def test_make_run_prints_its_steps(clone: Clone) -> None:
    demand("npm")
    packages = len(LOCKED.findall((clone.folder / "requirements" / "run.lock").read_text()))
    assert clone.steps == [
        "Creating the virtual environment .venv",
        f"Installing {packages} packages",
        "Installing GraphiQL's parts",
        "Starting the server",
    ]


def test_a_step_of_make_run_that_fails_says_so_in_one_sentence(clone: Clone) -> None:
    programs = clone.folder / "no-packages" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).symlink_to(shutil.which("false") or name)
    without_python = clone.ended("make run PYTHON=no-python VENV=none")
    without_packages = clone.ended("make run VENV=no-packages")
    assert [line for line in without_python.stderr.splitlines() if not line.startswith("make: ")] == [
        "no-python is not installed. Install Python 3.11 or newer, or name another one: make PYTHON=…"
    ]
    assert [line for line in without_packages.stderr.splitlines() if not line.startswith("make: ")] == [
        "The packages could not be installed. Check the connection to the package index, and run make again."
    ]


@pytest.mark.parametrize("command", [command for command in COMMANDS if program(command) == "make"])
def test_a_make_target_exists(clone: Clone, command: str) -> None:
    # `make run` was run. The other targets take minutes, change files, or run this test.
    dry = command.replace("make", "make -n", 1).replace("/opt/rendercast", str(clone.folder))
    assert "No rule" not in clone.run(f"{dry} 2>&1")


def test_pytest_arguments_select_tests() -> None:
    commands = [command for command in COMMANDS if program(command) == ".venv/bin/pytest"]
    arguments = [shlex.split(command.partition("pytest ")[2]) for command in commands]
    collected = subprocess.run(
        [sys.executable, "-c", COLLECT, json.dumps(arguments)], cwd=CHECKOUT, capture_output=True, check=False
    )
    assert (len(commands) > 1, collected.returncode) == (True, 0), collected.stdout


@pytest.mark.parametrize("command", [command for command in COMMANDS if program(command) == ".venv/bin/python"])
def test_a_benchmark_exists(command: str) -> None:
    assert (CHECKOUT / (command.split()[2].replace(".", "/") + ".py")).exists()  # each runs for a minute


@pytest.mark.parametrize("command", [command for command in RUN if "ID" not in command.split()])
def test_a_command_prints_what_is_documented(clone: Clone, command: str) -> None:
    demand("jq" if "jq" in command else program(command))
    if "--props" in command:
        (clone.folder / "props.json").write_text("{}")
    assert re.match(f"(?s){RUN[command]}", clone.run(command))


async def test_a_render_is_watched_downloaded_and_cancelled(clone: Clone, client: Client) -> None:
    render = await client.until(await client.start_render(durationInFrames=30), status="COMPLETE")
    clone.run(f"rendercast watch {render['id']}")
    clone.run(f"rendercast download {render['id']}")
    assert (clone.folder / f"{render['id']}.mp4").stat().st_size == render["outputSizeBytes"]
    lasting = {"text": "word " * 90, "style": "TYPEWRITER", "durationInFrames": 600}  # it moves to its end
    queued = [await client.start_render(**lasting) for _ in range(2 * (os.cpu_count() or 1) + 2)]
    clone.run(f"rendercast cancel {queued[-1]}")
    assert (await client.until(queued[-1], status="CANCELLED"))["framesRendered"] == 0
    for render_id in queued[:-1]:
        await client.execute("mutation ($id: ID!) { cancelRender(renderId: $id) { __typename } }", id=render_id)


@pytest.mark.parametrize(
    "command",
    [found for found in EXAMPLES if found not in RUN.keys() | NOT_RUN.keys() and not ELSEWHERE & set(found.split())],
)
async def test_an_example_in_a_help_text_works(clone: Clone, client: Client, command: str) -> None:
    if "jq" in command:
        demand("jq")
    if example_id := re.search(r"01[0-9a-z]{24}", command):
        render_id = await client.start_render(durationInFrames=2)
        await client.until(render_id, status="COMPLETE")
        command = command.replace(example_id[0], render_id)
    (clone.folder / "poem.txt").write_text("Roses are red")
    clone.run(command.replace("| mpv -", "| wc -c"))


@pytest.mark.parametrize("block", SESSIONS, ids=lambda block: next(block.commands()))
def test_a_session_prints_what_is_shown(clone: Clone, block: Block, mongo_server_url: str) -> None:
    settings = {
        "MONGODB_URL": mongo_server_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "RENDERCAST_QUOTA_LIMT": "5",
        "RENDERCAST_RENDERER": "text",
    }
    if doctor := any("doctor" in command for command in block.commands()):
        demand("npm")
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        output = words(clone.on_a_terminal(command, **(settings if doctor else {})))
        for line in shown.partition("…")[0].splitlines():
            assert words(line) in output, clone.log


def test_operations_are_valid() -> None:
    schema = build_schema().core_schema
    documents = [parse(block.text) for block in BLOCKS if block.language == "graphql"]
    assert [error for document in documents for error in validate(schema, document)] == []


async def test_operations_have_the_responses_shown(client: Client) -> None:
    render_id = ""
    for block, shown in OPERATIONS:
        document = re.sub(r"01[0-9a-z]{24}", render_id, block.text)
        (operation,) = parse(document).definitions
        assert isinstance(operation, OperationDefinitionNode)
        if operation.operation == OperationType.SUBSCRIPTION:
            async with open_stream(client) as stream:
                await stream.subscribe(document)
                states = await stream.rest()
            expected = [response["data"]["renderProgress"] for response in json_values(shown.text)]
            assert {str(shape(state)) for state in states} == {str(shape(state)) for state in expected}
        else:
            response = await client.post(document)
            assert shape(response) == shape(json_values(shown.text)[0])
            render_id = render_id or response["data"]["startRender"]["render"]["id"]


async def test_requests_have_the_responses_shown(clone: Clone, client: Client) -> None:
    demand("curl")
    for block, shown in NEIGHBOURS:
        for command in block.commands():
            if command.startswith("curl http://127.0.0.1:8000/graphql "):
                (response,) = json_values(clone.run(command))
                assert shape(response) == shape(json_values(shown.text)[0])
                for render in await client.list_renders(first=1):
                    await client.until(render["id"], status="COMPLETE")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in {"json", "yaml", "dotenv"}])
def test_contents_of_files_can_be_parsed(block: Block) -> None:
    if block.language == "json":
        assert json_values(block.text)
    elif block.language == "yaml":
        assert read_yaml(block.text)
    else:
        names = {line.partition("=")[0] for line in block.text.splitlines()}
        assert names <= {variable(name) for name in FIELDS}


def test_lambda_without_its_settings_is_a_startup_error(clone: Clone) -> None:
    setting = "RENDERCAST_RENDERER=lambda"
    assert any(setting in block.text.splitlines() for block in BLOCKS)
    ended = clone.ended(f"{setting} make run", RENDERCAST_DATA_DIR="elsewhere")
    assert ended.returncode != 0
    assert "rendercast: Nothing can be rendered: REMOTION_" in ended.stderr
    assert ended.stdout.splitlines()[0] == "Starting the server"  # everything else was done by the first run
