"""The props of a composition, from `--props` and `--set`."""

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import typer

Json = dict[str, Any]

STEP = re.compile(r'(?:^|\.)(?P<name>[^.\[\]="]+)|\[(?P<index>[0-9]{1,9})\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')
FORM = 'It must look like title=Hi, scenes[0].seconds=3 or colors["a.b"]=red.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A `--set`: the path to a value, made of names and indices, and the value. `option` names it in messages."""

    text: str
    path: tuple[str | int, ...]
    value: object
    option: str = "--set"

    @property
    def key(self) -> str:
        """The prop that it sets or changes."""
        return str(self.path[0])

    @property
    def is_nested(self) -> bool:
        """Whether it changes a part of a prop."""
        return len(self.path) > 1


def read_props(file: Path | None) -> Json:
    """Return the object in a file of JSON; `-` is standard input. Raises `typer.BadParameter` if there is none."""
    if file is None:
        return {}
    try:
        text = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
        props = json.loads(text.decode("utf-8-sig"), object_pairs_hook=unique_keys, **NUMBERS)
    except OSError as error:
        raise _unusable(f"{file} can't be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise _unusable(f"{file} is nested too deeply.") from error
    except ValueError as error:
        raise _unusable(f"{file} is not valid JSON: {str(error).rstrip('.')}.") from error
    if not isinstance(props, dict):
        raise _unusable(f"{file} must contain a JSON object: {{…}}.")
    return props


def read_assignments(texts: Sequence[str]) -> Sequence[Assignment]:
    """Return what each `--set` assigns. Raises `typer.BadParameter` if one has no path or value."""
    return [_read_assignment(text) for text in texts]


def changed_in_part(props: Json, assignments: Sequence[Assignment]) -> set[str]:
    """Return the props that the assignments change in part, but that neither `props` nor an earlier one contains."""
    known, missing = set(props), set()
    for assignment in assignments:
        if assignment.is_nested and assignment.key not in known:
            missing.add(assignment.key)
        known.add(assignment.key)
    return missing


def assign(props: Json, assignments: Sequence[Assignment]) -> None:
    """Change the props, in the order of the assignments. Objects and lists that are missing or null are created.

    An index may be the list's length, which appends. Raises `typer.BadParameter` if a path leads past the end of a
    list, or through a value that is neither an object nor a list.
    """
    for assignment in assignments:
        holder: Any = props
        for step, following in zip(assignment.path, assignment.path[1:], strict=False):
            _require_place(holder, step, assignment)
            if _is_missing(holder, step):
                _put(holder, step, [] if isinstance(following, int) else {})
            holder = holder[step]
        _require_place(holder, assignment.path[-1], assignment)
        _put(holder, assignment.path[-1], assignment.value)


def read_path(text: str) -> tuple[tuple[str | int, ...], str]:
    """Return the path at the start of a text, empty if it has none, and the rest of the text."""
    path: list[str | int] = []
    end = 0
    while match := STEP.match(text, end):
        if match["index"]:
            path.append(int(match["index"]))
        else:
            path.append(match["name"] or json.loads(match["quoted"]))
        end = match.end()
    is_path = bool(path) and isinstance(path[0], str) and not text.startswith(".")
    return (tuple(path), text[end:]) if is_path else ((), text)


def _read_assignment(text: str) -> Assignment:
    path, rest = read_path(text)
    if not path or not rest.startswith("="):
        raise typer.BadParameter(f"{text}: {FORM}", param_hint="--set")
    return Assignment(text=text[: -len(rest)], path=path, value=_read_value(rest[1:]))


def _read_value(text: str) -> object:
    """Return the JSON value; the text itself if it is not valid JSON."""
    try:
        return json.loads(text, **NUMBERS)
    except (ValueError, RecursionError):
        return text


def _require_place(holder: object, step: str | int, assignment: Assignment) -> None:
    if isinstance(step, int) and isinstance(holder, list):
        if step > len(holder):
            message = f"{assignment.text}: the list has {len(holder)} items, so [{step}] is past its end."
            raise typer.BadParameter(message, param_hint=assignment.option)
    elif isinstance(step, int) or not isinstance(holder, dict):
        kind, place = ("a list", f"[{step}]") if isinstance(step, int) else ("an object", f"“{step}”")
        raise typer.BadParameter(
            f"{assignment.text}: the value before {place} is not {kind}.", param_hint=assignment.option
        )


def _is_missing(holder: Any, step: str | int) -> bool:
    is_new = step == len(holder) if isinstance(step, int) else step not in holder
    return is_new or holder[step] is None


def _put(holder: Any, step: str | int, value: object) -> None:
    if isinstance(step, int) and step == len(holder):
        holder.append(value)
    else:
        holder[step] = value


def unique_keys(pairs: list[tuple[str, object]]) -> Json:
    """Return the object of these pairs. Raises `ValueError` if a key is repeated: one of the values would be lost."""
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice in an object")
    return made


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"it contains {constant}")


def _finite(number: str) -> float:
    """Return a number with a fraction or an exponent. `json` can't write infinity, which `json` reads 1e999 as."""
    if math.isinf(value := float(number)):
        _not_json(number)
    return value


NUMBERS: Final[Any] = {"parse_constant": _not_json, "parse_float": _finite}


def _unusable(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--props")
