"""Parses the documentation: blocks of code, the commands in them, and commands in sentences."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from services.settings import CHECKOUT

PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
    *sorted(path for path in CHECKOUT.glob("docs/**/*.md") if path.name != "frontend.md"),  # has a test of its own
]
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
ASSIGNMENTS = re.compile(r"^(?:[A-Z_]+=\S* )*")
PROGRAMS = "make rendercast curl docker npx npm aws openssl printf cp .venv/bin/pytest .venv/bin/python pytest python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code."""

    page: str
    language: str
    text: str

    def commands(self) -> Iterator[str]:
        """Yield the commands of a script or a console session, without comments."""
        lines = self.text.splitlines()
        if self.language == "console":
            yield from (line.removeprefix("$ ") for line in lines if line.startswith("$ "))
        elif self.language == "sh":
            yield from _commands(lines)


def blocks() -> list[Block]:
    """Return all blocks in the order of the pages."""
    return [
        Block(page=str(page.relative_to(CHECKOUT)), language=found["language"], text=found["text"])
        for page in PAGES
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def commands_in_text() -> Iterator[str]:
    """Yield the commands in sentences: one of `PROGRAMS` with arguments."""
    for page in PAGES:
        for span in SPAN.findall(FENCE.sub("", page.read_text(encoding="utf-8")).replace("``", "")):
            command = " ".join(span.split())
            if program(command) in PROGRAMS.split() and " " in ASSIGNMENTS.sub("", command):
                yield command


def program(command: str) -> str:
    """Return the program that a command runs, without the variables before it."""
    return ASSIGNMENTS.sub("", command).partition(" ")[0]


class _ComposeLoader(yaml.SafeLoader):
    """Reads the tag with which a file of Compose replaces a list of another: https://docs.docker.com/reference/compose-file/merge/."""


def _read_list(loader: _ComposeLoader, node: yaml.Node) -> list[object]:
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


_ComposeLoader.add_constructor("!override", _read_list)


def read_yaml(text: str) -> object:
    """Return the content of a YAML file, which may be a file of Compose."""
    return yaml.load(text, _ComposeLoader)  # noqa: S506  # a safe loader


def _commands(lines: list[str]) -> Iterator[str]:
    command = ""
    for line in lines:
        command += line
        if _is_whole(command):
            yield re.sub(r" +# .*", "", command)
            command = ""
        else:
            command += "\n"
    assert command == "", f"an incomplete command: {command}"


def _is_whole(command: str) -> bool:
    if command.endswith("\\"):
        return False
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
