"""Parses a Dockerfile."""

import io
import json
import re
import shlex
from dataclasses import dataclass, field
from string import Template

from dockerfile_parse import DockerfileParser

from services.settings import CHECKOUT

FLAG = re.compile(r"--(?P<name>[a-z-]+)=(?P<value>\S+)\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its flags and the text after them."""

    name: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The words of both forms, `["a", "b"]` and `a b`."""
        if not self.text.startswith("["):
            return shlex.split(self.text)
        words: list[str] = json.loads(self.text)
        return words

    @property
    def pairs(self) -> dict[str, str]:
        """The names and values of ENV or LABEL."""
        return dict(word.split("=", 1) for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage: its base, which is an image or an earlier stage, its name, and the instructions after FROM."""

    base: str
    name: str
    instructions: list[Instruction]

    @property
    def sources(self) -> set[str]:
        """The stages and images that it is built from."""
        copied = (found.flags.get("from") for found in self.instructions if found.name == "COPY")
        return {self.base, *filter(None, copied)}


def read_stages(text: str, **arguments: str) -> list[Stage]:
    """Return the stages of a Dockerfile that are needed for the last one, with these values of its arguments."""
    stages: list[Stage] = []
    for found in read(text):
        if found.name == "FROM":
            base, *name = Template(found.text).substitute(arguments).split(" AS ")
            stages.append(Stage(base=base, name="".join(name), instructions=[]))
        elif stages:
            stages[-1].instructions.append(found)
        else:
            name_of, _, default = found.text.partition("=")
            arguments.setdefault(name_of, default)
    needed, *earlier = reversed(stages)
    kept = [needed]
    for stage in earlier:
        if any(stage.name in each.sources for each in kept):
            kept.append(stage)
    return kept[::-1]


def read(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile."""
    structure = DockerfileParser(fileobj=io.BytesIO(text.encode())).structure
    return [
        _instruction(found["instruction"], found["value"]) for found in structure if found["instruction"] != "COMMENT"
    ]


def dockerfile_text() -> str:
    return (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")


def _instruction(name: str, text: str) -> Instruction:
    flags = {}
    while flag := FLAG.match(text):
        flags[flag["name"]] = flag["value"]
        text = text[flag.end() :]
    return Instruction(name=name, text=text, flags=flags)
