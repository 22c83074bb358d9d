"""Sentences for people about values that a JSON Schema does not accept."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from services.compositions.json_limits import MAX_INTEGER
from services.compositions.json_pointer import child
from services.errors import PathProblem

NOT_ACCEPTED = "The schema of this composition does not accept this value."
SEVERAL_FORMS = "This value fits several of the accepted forms, and must fit exactly one."
REMOVE_VALUE = "Remove this value."
TOO_SLOW = "This text takes too long to check. Use a shorter or simpler one."

_MAX_NAMES = 20  # options or keys listed in a sentence
_MAX_CHARACTERS = 60  # of each

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMATS = {
    "uri": "a complete URL, such as https://example.com/image.png",
    "iri": "a complete URL, such as https://example.com/image.png",
    "uri-reference": "a URL or a path",
    "email": "an email address, such as ann@example.com",
    "idn-email": "an email address, such as ann@example.com",
    "date-time": "a date and time with its time zone, such as 2026-01-31T12:00:00Z",
    "date": "a date, such as 2026-01-31",
    "time": "a time, such as 12:00:00Z",
    "duration": "a duration in ISO 8601 format, such as PT1M30S",
    "uuid": "a UUID, such as 123e4567-e89b-12d3-a456-426614174000",
    "ipv4": "an IPv4 address, such as 192.0.2.1",
    "ipv6": "an IPv6 address, such as 2001:db8::1",
    "hostname": "a host name, such as example.com",
    "regex": "a regular expression",
}


def describe(errors: Iterable[ValidationError], *, path: str) -> Iterator[PathProblem]:
    """Yield what errors of keywords without subschemas mean for the value at `path`.

    Of several errors with one cause, only one is described.
    """
    for error in _relevant(list(errors)):
        match error.kind:
            case ValidationErrorKind.Required(name):
                yield PathProblem(path=child(path, name), message=f"{_clipped(name)} is missing.")
            case kind:
                yield PathProblem(path=path, message=_sentence(kind))


def choose_one(options: Iterable[object]) -> str:
    """Return the sentence for a value that is none of these."""
    names = list(dict.fromkeys(map(_written, options)))
    return f"Use {names[0]}." if len(names) == 1 else f"Choose one of {_listed(names)}."


def give_type(types: Iterable[str]) -> str:
    """Return the sentence for a value that has none of these JSON types."""
    ordered = sorted(dict.fromkeys(types), key=lambda name: name == "null")
    names = [_TYPES.get(name, name) for name in ordered]
    return f"Give {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}."


def remove_key(known: Iterable[str]) -> str:
    """Return the sentence for a key that is none of these."""
    names = [_clipped(name) for name in known]
    return f"Remove this key; the known keys are {_listed(names)}." if names else "Remove this key; no key is accepted."


def _relevant(errors: list[ValidationError]) -> list[ValidationError]:
    kinds = {error.kind.name for error in errors}
    for keyword in ("const", "enum", "type"):
        if keyword in kinds:
            return [error for error in errors if error.kind.name == keyword]
    return [error for error in errors if error.kind.name != "pattern" or "format" not in kinds]


def _sentence(kind: ValidationErrorKind) -> str:  # noqa: C901, PLR0911, PLR0912  # one line for each keyword
    match kind:
        case ValidationErrorKind.Type(types):
            return give_type(types)
        case ValidationErrorKind.Enum(options):
            return choose_one(options)
        case ValidationErrorKind.Constant(option):
            return choose_one([option])
        case ValidationErrorKind.Format(name):
            return f"Give {_FORMATS.get(name, f'a value of the format {name}')}."
        case ValidationErrorKind.Pattern(pattern):
            return f"This text must match the pattern {_clipped(pattern)}"
        case ValidationErrorKind.BacktrackLimitExceeded() | ValidationErrorKind.RegexEngineFailure():
            return TOO_SLOW
        case ValidationErrorKind.MinLength(1):
            return "This text must not be empty."
        case ValidationErrorKind.MinLength(limit):
            return f"Use at least {_counted(limit, 'character')}."
        case ValidationErrorKind.MaxLength(limit):
            return f"Use at most {_counted(limit, 'character')}."
        case ValidationErrorKind.Minimum(limit):
            return f"Use {_written(limit)} or more."
        case ValidationErrorKind.Maximum(limit):
            return f"Use {_written(limit)} or less."
        case ValidationErrorKind.ExclusiveMinimum(limit):
            return f"Use more than {_written(limit)}."
        case ValidationErrorKind.ExclusiveMaximum(limit):
            return f"Use less than {_written(limit)}."
        case ValidationErrorKind.MultipleOf(divisor):
            return f"Use a multiple of {_written(divisor)}."
        case ValidationErrorKind.MinItems(limit):
            return f"Give at least {_counted(limit, 'item')}."
        case ValidationErrorKind.MaxItems(limit):
            return f"Give at most {_counted(limit, 'item')}."
        case ValidationErrorKind.UniqueItems():
            return "Give each item only once."
        case ValidationErrorKind.MinProperties(limit):
            return f"Give at least {_counted(limit, 'key')}."
        case ValidationErrorKind.MaxProperties(limit):
            return f"Give at most {_counted(limit, 'key')}."
        case _:
            return NOT_ACCEPTED


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _written(value: object) -> str:
    """Return a value of the schema as people read it: simple texts without quotes, numbers without a needless `.0`."""
    match value:
        case str() if value.isprintable() and value and not set(value) & set(' ,"'):
            return _clipped(value)
        case float() if value.is_integer() and abs(value) <= MAX_INTEGER:
            return str(int(value))
        case Decimal():
            return str(value)
        case _:
            return _clipped(orjson.dumps(value, default=str).decode())


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
