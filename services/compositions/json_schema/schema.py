"""A compiled JSON Schema."""

import orjson

from services.compositions.json_limits import limit_problem
from services.compositions.json_schema.expansion import check_expansion
from services.compositions.json_schema.index import SchemaIndex
from services.compositions.json_schema.patterns import compiled, prepare_patterns
from services.compositions.json_schema.problems import find_problems
from services.errors import PathProblem

MAX_SCHEMA_BYTES = 256 * 1024


class JsonSchema:
    """Validates values against a JSON Schema, draft 2020-12. Formats are checked.

    Nothing is read from the network or from files, whatever the schema refers to.
    """

    def __init__(self, text: str, *, owner: str) -> None:
        """Raises `ValueError` if the schema isn't valid, is too large, or refers to another document.

        `owner` is what the schema belongs to, for the log.
        """
        schema = orjson.loads(text)
        if not isinstance(schema, dict):
            raise ValueError("it is not an object")  # noqa: TRY004  # outside data, not a bug in the caller
        if problem := limit_problem(schema, max_bytes=MAX_SCHEMA_BYTES):
            raise ValueError(problem)
        schema.pop("$schema", None)  # drafts other than 2020-12 are not read
        engine = prepare_patterns(schema, owner=owner)
        self._index = SchemaIndex(schema, engine)
        check_expansion(schema, self._index)
        self._validator = compiled(schema, engine)

    def problems(self, value: object, *, path: str) -> list[PathProblem]:
        """Return why the schema does not accept a JSON value; empty if it does. `path` is the value's own path."""
        return [] if self._validator.is_valid(value) else find_problems(self._index, value, path=path)
