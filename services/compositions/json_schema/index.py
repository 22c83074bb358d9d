"""The subschemas of a JSON Schema by their JSON Pointers, each with a validator of its own."""

from functools import cached_property
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator, ValidationError, ValidatorMap, validator_map_for

from services.compositions.json_pointer import escape
from services.compositions.json_schema.patterns import Engine, compiled
from services.compositions.json_schema.subschemas import Schema

_MAX_REFERENCES = 20  # that lead from one to the next

_REFERENCE_KEYWORDS = frozenset({"$comment", "$ref", "default", "deprecated", "description", "examples", "title"})

# Keywords without subschemas: an error of one is a problem of the value itself, not of a part of it.
_OWN_KEYWORDS = frozenset(
    {
        "const",
        "dependentRequired",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
        "type",
        "uniqueItems",
    }
)


class SchemaIndex:
    """Finds subschemas and validates values against them. `engine` is that of the schema's patterns.

    A pointer starts with `#`, as in a URI's fragment, but is not percent-encoded.
    """

    def __init__(self, schema: Schema, engine: Engine) -> None:
        self._schema = schema
        self._engine = engine
        self._own: dict[str, Draft202012Validator] = {}
        self._patterns: dict[str, Draft202012Validator] = {}

    @cached_property
    def _validators(self) -> ValidatorMap:
        # Takes ten times the memory of one validator, so it is built only when a value is not valid.
        return validator_map_for(self._schema, pattern_options=self._engine, validate_formats=True, offline=True)

    def get(self, pointer: str) -> Schema | bool:
        """Return the subschema at a pointer; True, which accepts everything, if there is none."""
        found: object = self._schema
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(key)] if key.isdecimal() and int(key) < len(found) else None
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict | bool) else True

    def accepts(self, pointer: str, value: object) -> bool:
        """Return whether the subschema at a pointer accepts the value."""
        validator = self._validators.get(pointer)
        return validator is None or validator.is_valid(value)

    def referenced(self, schema: Schema) -> str | None:
        """Return the pointer to which `$ref` refers; None if there is none, or one that is no pointer."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return None
        pointer = unquote(reference)
        return pointer if pointer in self._validators else None

    def follow(self, pointer: str) -> str:
        """Return where the references at a pointer lead to: the pointer of a schema that isn't only a reference."""
        for _ in range(_MAX_REFERENCES):
            schema = self.get(pointer)
            if isinstance(schema, bool) or not schema.keys() <= _REFERENCE_KEYWORDS:
                break
            pointer = self.referenced(schema) or pointer
        return pointer

    def matches(self, pattern: str, key: str) -> bool:
        """Return whether a key of `patternProperties` matches the name of a member."""
        validator = self._patterns.get(pattern)
        if validator is None:
            validator = self._patterns[pattern] = compiled({"pattern": pattern}, self._engine)
        return validator.is_valid(key)

    def own_errors(self, pointer: str, value: object) -> list[ValidationError]:
        """Return the errors of the keywords that the schema at a pointer has for the value itself."""
        validator = self._own.get(pointer)
        if validator is None:
            validator = self._own[pointer] = compiled(self._own_schema(pointer), self._engine)
        return list(validator.iter_errors(value))

    def _own_schema(self, pointer: str) -> Schema:
        schema = self.get(pointer)
        if isinstance(schema, bool):
            return {}
        return {keyword: value for keyword, value in schema.items() if keyword in _OWN_KEYWORDS}


def member(pointer: str, *tokens: object) -> str:
    """Return the pointer below another one."""
    return "/".join((pointer, *(escape(str(token)) for token in tokens)))
