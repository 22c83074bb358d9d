"""Reads JSON from clients and writes JSON for them."""

import json
from typing import NoReturn

import orjson


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_json(text: str | bytes) -> object:
    """Return the value of a JSON text. Raises `ValueError` if it isn't valid JSON in UTF-8 or exceeds Python's limits.

    These are the recursion limit, for nested values, and the maximum number of digits of an integer.
    """
    try:
        value: object = DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def write_json(value: object) -> bytes:
    """Return the value as JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # unpaired surrogates and integers of more than 64 bits, which a client may have sent
        return json.dumps(value).encode()
