"""Reads the variables of settings from the environment and from the file `.env`, and secrets from files."""

import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from services.errors import StartupError
from services.settings.groups import FIELDS, FILE_SUFFIX, former_variables, is_secret, variable
from services.settings.service_variables import is_service_variable
from services.settings.values import expand_home

DOTENV = ".env"
MAX_SECRET_BYTES = 64 * 1024
READ_TIMEOUT_S = 5.0  # for a secret from a pipe
PLATFORM_VARIABLES = {"port": "PORT"}  # by field: where Heroku, Cloud Run and others pass the port to listen on
NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Environment:
    """The values of settings, the variables that have them, and a sentence for each that can't be read: all by field.

    A value is never empty.
    """

    values: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_environment(fallbacks: Mapping[str, str] = NONE) -> Environment:
    """Read all settings. The environment takes precedence over `.env`, and a current name over a former one.

    `fallbacks` are variables of the environment, by field, for settings that are not set. Raises `StartupError` if
    `.env` can't be read or parsed.
    """
    found = Environment()
    sources = [process_variables(), dotenv_variables()]
    for name in FIELDS:
        _read(name, sources, found)
    for name, fallback in fallbacks.items():
        if name not in found.values and (value := os.environ.get(fallback)):
            found.values[name], found.variables[name] = value, fallback
    return found


def process_variables() -> dict[str, str]:
    """Return the variables of this process that are not empty, without those that Kubernetes sets for Services."""
    given = {name.upper(): value for name, value in os.environ.items() if value}
    return {name: value for name, value in given.items() if not is_service_variable(name, value)}


def dotenv_variables() -> dict[str, str]:
    """Return the variables of `.env` that are not empty. Raises `StartupError` if it can't be read or parsed."""
    if not Path(DOTENV).is_file():
        return {}
    try:
        text = Path(DOTENV).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"The file {DOTENV} {_reason(error)}.") from None
    for binding in parse_stream(StringIO(text)):
        if not _is_valid(binding):
            raise StartupError(
                f"The file {DOTENV} can't be parsed from line {_line(binding)} on: write NAME=value, "
                "and if the value starts with a quote, end it with the same one."
            )
    return {name.upper(): value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


def _is_valid(binding: Binding) -> bool:
    """Return False for what the parser skips, and for `NAME:value`, whose colon it takes for a part of the name."""
    return not binding.error and ":" not in (binding.key or "")


def _line(binding: Binding) -> int:
    """Return the number of the binding's line. The parser counts empty lines before it as part of the binding."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _read(name: str, sources: list[dict[str, str]], found: Environment) -> None:
    """Read one setting into `found`."""
    names = [variable(name), *former_variables(name)]
    value = _first(names, sources)
    file = _first([each + FILE_SUFFIX for each in names], sources) if is_secret(name) else None
    if value and file:
        found.problems[name] = f"{value[0]} and {file[0]} are both set: unset one of them."
    elif value:
        found.variables[name], found.values[name] = value
    elif file:
        found.variables[name] = file[0].removesuffix(FILE_SUFFIX)
        try:
            found.values[name] = _read_secret(Path(expand_home(file[1])))
        except (OSError, ValueError) as error:
            is_path = Path(file[1]).is_absolute() or os.path.lexists(file[1])  # else it may be the secret itself
            path = repr(file[1]) if is_path else "of that name"
            found.problems[name] = f"{file[0]} can't be used: the file {path} {_reason(error)}."


def _first(names: list[str], sources: list[dict[str, str]]) -> tuple[str, str] | None:
    """Return the first of the variables that a source has, with its value; earlier sources take precedence."""
    return next(((name, source[name]) for source in sources for name in names if name in source), None)


def _read_secret(path: Path) -> str:
    """Return the content of a file without the line end. Raises `OSError`, or `ValueError` with the reason."""
    content = _read_file(path)
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"is larger than {MAX_SECRET_BYTES // 1024} KiB")
    secret = content.decode("utf-8-sig").rstrip("\r\n")
    if "\0" in secret:
        raise ValueError("contains zero bytes: it must be text in UTF-8")
    if not secret:
        raise ValueError("is empty")
    return secret


def _read_file(path: Path) -> bytes:
    """Return the content of a file or a pipe, of larger ones only a part. Raises as `_read_secret`.

    The file is opened without waiting for a process that writes to it, which a named pipe may never have.
    """
    until = time.monotonic() + READ_TIMEOUT_S
    content = b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # closes the descriptor
        while len(content) <= MAX_SECRET_BYTES:
            if not select.select([file], [], [], max(0.0, until - time.monotonic()))[0]:
                raise ValueError(f"is a pipe to which no process writes all within {READ_TIMEOUT_S:g} s")
            if not (part := file.read(MAX_SECRET_BYTES + 1 - len(content))):
                break
            content += part
    return content


def _reason(error: OSError | ValueError) -> str:
    """Return why a file can't be read, as the predicate of a sentence."""
    match error:
        case FileNotFoundError():
            return "does not exist"
        case IsADirectoryError():
            return "is a directory"
        case UnicodeDecodeError():
            return "is not text in UTF-8"
        case OSError():
            return f"can't be read ({error.strerror})"
    return str(error)


def given_names() -> Mapping[str, str]:
    """Return all variables that are set in the environment or in `.env`. Raises `StartupError`."""
    return {**dotenv_variables(), **{name.upper(): value for name, value in os.environ.items() if value}}
