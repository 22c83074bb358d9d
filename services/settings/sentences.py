"""Says in one sentence why a setting's value is invalid. No sentence contains a secret or a regular expression."""

import types
from collections.abc import Iterable, Mapping
from typing import Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from services.settings.groups import FIELDS, is_secret

MAX_SHOWN_CHARACTERS = 80
TYPES_OF_NUMBERS = ("int_", "float_", "finite_number", "greater_than", "less_than", "multiple_of")


def sentence(name: str, variable: str, *, kind: str, value: object, context: Mapping[str, object]) -> str:
    """Return the sentence about a value of the field `name`, which `variable` has.

    `kind` and `context` are those of pydantic's error (https://docs.pydantic.dev/latest/errors/validation_errors/).
    """
    field = FIELDS[name]
    but = "" if is_secret(name) else f", not {_shown(value)}"
    if expected := _expected(kind, field):
        return f"{variable} must be {expected}{but}."
    if kind.endswith("too_short"):
        length = context.get("actual_length", len(str(value)))
        return f"{variable} is too short: {_characters(length)}, at least {context['min_length']} needed."
    if kind.endswith("too_long"):
        return f"{variable} is too long: at most {_characters(context['max_length'])} are allowed."
    if kind == "value_error":
        return f"{variable} {context['error']}."
    meaning = (field.description or "").partition(". ")[0].rstrip(".")
    return f"{variable} is not valid{but.replace(', not ', ': ', 1)} ({meaning})."


def _expected(kind: str, field: FieldInfo) -> str | None:
    """Describe the values that a field accepts, if it accepts numbers, true and false, or a few words."""
    if kind.startswith(TYPES_OF_NUMBERS):
        return describe_number(field)
    if kind.startswith("bool_"):
        return _alternatives(["true", "false", *_choices(field)])
    return _alternatives(_choices(field)) if kind == "literal_error" else None


def describe_number(field: FieldInfo) -> str:
    """Describe the numbers that a field accepts, such as `a whole number from 0 to 65535`."""
    is_whole = int in _members(field.annotation)
    noun = "a whole number" if is_whole else "a number"
    limits: dict[str, object] = {}
    for constraint in field.metadata:
        match constraint:
            case annotated_types.Ge(ge=low):
                limits["ge"] = low
            case annotated_types.Gt(gt=low):
                limits["gt"] = low
            case annotated_types.Le(le=high):
                limits["le"] = high
            case annotated_types.MultipleOf(multiple_of=step):
                noun = "an even number" if step == 2 else f"a multiple of {step}"  # noqa: PLR2004
    return f"{noun}{_range(limits)}"


def _range(limits: dict[str, object]) -> str:
    match limits:
        case {"ge": low, "le": high}:
            return f" from {low} to {high}"
        case {"gt": low, "le": high}:
            return f" above {low} and at most {high}"
        case {"ge": low}:
            return f" of at least {low}"
        case {"le": high}:
            return f" of at most {high}"
    return ""


def _choices(field: FieldInfo) -> list[str]:
    return [
        str(choice)
        for member in _members(field.annotation)
        if get_origin(member) is Literal
        for choice in get_args(member)
    ]


def _members(annotation: object) -> tuple[object, ...]:
    """Return the members of a union, or the annotation itself."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _alternatives(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _characters(count: object) -> str:
    return f"{count} character" if count == 1 else f"{count} characters"


def _shown(value: object) -> str:
    """Return the value on one line, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
