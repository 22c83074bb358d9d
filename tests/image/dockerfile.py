"""Parses a Dockerfile."""

import io
import json
import re
import shlex
from dataclasses import dataclass, field

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
