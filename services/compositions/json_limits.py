"""Limits on the JSON values that clients and sites provide: size, depth, and what JavaScript reads unchanged."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from services.compositions.json_pointer import child
from services.errors import PathProblem

MAX_DEPTH = 100  # of nested containers: far more than any props have, and below the limits of all JSON libraries used
MAX_PROBLEMS = 20  # that are reported of one value; a further one says that there are more
MAX_INTEGER = 2**53 - 1  # Number.MAX_SAFE_INTEGER: JSON.parse rounds larger ones without an error
MORE_PROBLEMS = "There are more problems. Fix the ones listed first."

_INEXACT = f"Give a whole number from {-MAX_INTEGER} to {MAX_INTEGER}, or a text: JavaScript rounds larger numbers."


def check_json(
    value: object, *, max_bytes: int, path: str = "/composition/props", max_depth: int = MAX_DEPTH
) -> tuple[str | None, list[PathProblem]]:
    """Return the value's JSON text, or None and what is wrong with it. `path` is the value's own path.

    The text has no spaces and the keys in their order. The work is bounded by `max_bytes`, also for a value that
    contains the same list several times, as GraphQL variables allow.
    """
    problem, finite = _measure(value, max_bytes=max_bytes, max_depth=max_depth)
    if problem:
        return None, [PathProblem(path=path, message=problem)]
    # `orjson` writes numbers that aren't finite as null.
    if not finite and (problems := first_problems(_value_problems(value, path), path=path)):
        return None, problems
    try:
        text = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return None, first_problems(_value_problems(value, path), path=path)
    if len(text) > max_bytes:
        return None, [PathProblem(path=path, message=_too_large(max_bytes))]
    return text.decode(), []


def limit_problem(value: object, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> str | None:
    """Return what to change about a value that is too deep, or certainly too large; None if it may be within limits."""
    return _measure(value, max_bytes=max_bytes, max_depth=max_depth)[0]


def first_problems(problems: Iterator[PathProblem], *, path: str) -> list[PathProblem]:
    """Return at most `MAX_PROBLEMS`, and one more if there are more. `path` is the path of that one."""
    first = list(islice(problems, MAX_PROBLEMS + 1))
    if len(first) > MAX_PROBLEMS:
        first[MAX_PROBLEMS] = PathProblem(path=path, message=MORE_PROBLEMS)
    return first


def _measure(value: object, *, max_bytes: int, max_depth: int) -> tuple[str | None, bool]:
    """Return a limit that the value exceeds, or None; and whether the sum of its numbers with fractions is finite.

    Its size is estimated from below: one byte for each value, and one for each character of texts and keys. One loop
    over all values of a level takes half the time of one for each of these purposes.
    """
    size, depth, total = -1, -1, 0.0
    level: list[dict[str, object] | list[object]] = [[value]]
    while level:
        depth += 1
        if depth > max_depth:
            return f"Nest lists and objects at most {max_depth} deep.", True
        size += sum(map(len, level))
        if size > max_bytes:
            return _too_large(max_bytes), True
        deeper = []
        for container in level:
            values: Iterable[object] = container
            if type(container) is dict:
                values = container.values()
                size += sum([len(key) for key in container if type(key) is str])
            for item in values:
                kind = type(item)
                if kind is str:
                    size += len(item)  # type: ignore[arg-type]
                elif kind is dict or kind is list:
                    deeper.append(item)
                elif kind is float:
                    total += item  # type: ignore[operator]
        level = deeper  # type: ignore[assignment]
    return (_too_large(max_bytes) if size > max_bytes else None), math.isfinite(total)


def _value_problems(value: object, path: str) -> Iterator[PathProblem]:
    """Yield what is wrong with single values, in the order of the text. The depth must be within the limit."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not _is_text(key):
                yield PathProblem(path=path, message="A key of this object is not valid Unicode text. Remove the key.")
            yield from _value_problems(item, child(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_problems(item, child(path, index))
    elif message := _scalar_problem(value):
        yield PathProblem(path=path, message=message)


def _scalar_problem(value: object) -> str | None:
    match value:
        case None | bool():
            return None
        case str():
            return None if _is_text(value) else "This text is not valid Unicode: remove the unpaired surrogate."
        case float():
            return None if math.isfinite(value) else "Give a finite number."
        case int():
            return None if -MAX_INTEGER <= value <= MAX_INTEGER else _INEXACT
        case _:
            return "Give a JSON value."


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _too_large(max_bytes: int) -> str:
    return f"This is larger than {max_bytes:,} bytes as JSON. Use shorter or fewer values."
