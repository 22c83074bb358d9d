"""Reads JSON from clients and writes JSON for them."""

import json
from typing import NoReturn

import orjson


class JsonRejected(ValueError):  # noqa: N818  # named for what happened, like `DocumentRejected`
    """JSON that is syntactically valid but not accepted. The message is a sentence for clients."""


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of these members. Parsers differ in which of two equal keys they keep, so none is kept."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonRejected("An object in the JSON has the same key twice. Remove one of them.")
    return members


DECODER = json.JSONDecoder(parse_constant=_reject, object_pairs_hook=_unique)


def read_json(text: str | bytes) -> object:
    """Return the value of a JSON text. Raises `ValueError` if it isn't valid JSON in UTF-8 or exceeds Python's limits.

    These are the recursion limit, for nested values, and the maximum number of digits of an integer. Raises
    `JsonRejected` for the former, and for an object that has a key twice.
    """
    try:
        value: object = DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise JsonRejected("The JSON is nested too deeply.") from error
    return value


def write_json(value: object) -> bytes:
    """Return the value as JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # unpaired surrogates and integers of more than 64 bits, which a client may have sent
        return json.dumps(value).encode()
