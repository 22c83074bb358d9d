"""JSON from clients."""

import json
from typing import NoReturn


def read_json(text: str | bytes) -> object:
    """Return the value. Raises `ValueError` for what is no JSON in UTF-8, or is nested or numbered beyond reason."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
