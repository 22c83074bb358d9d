"""JSON from clients and to them."""

import json
from typing import NoReturn

import orjson


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_json(text: str | bytes) -> object:
    """Return the value. Raises `ValueError` for what is no JSON in UTF-8, or is nested or numbered beyond reason."""
    try:
        value: object = DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def write_json(value: object) -> bytes:
    """Return the value's text in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # for halves of surrogates and for more than 64 bits, which a client may have sent and be told
        return json.dumps(value).encode()
