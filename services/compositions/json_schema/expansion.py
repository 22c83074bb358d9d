"""The size of a JSON Schema with the targets of its references in the place of the references.

A few definitions that refer to the next one twice have a size of any power of two, and validation visits all of it.
"""

from urllib.parse import unquote

from services.compositions.json_schema.index import SchemaIndex
from services.compositions.json_schema.subschemas import Schema, applied

MAX_SCHEMAS = 100_000  # validation takes some 0.1 µs for each; one without references has at most a tenth as many
MAX_LEVELS = 100  # of schemas in schemas; the time to compile grows with the cube


def check_expansion(schema: Schema, index: SchemaIndex) -> None:
    """Raise `ValueError` for a schema that is too large or too deep. `index` is its index.

    References into a schema that contains them are not followed: validation remembers the results of recursion.
    """
    _Expansion(index).measure(schema, level=0)


class _Expansion:
    def __init__(self, index: SchemaIndex) -> None:
        self._index = index
        self._measured: dict[int, tuple[int, int]] = {}

    def measure(self, schema: Schema, *, level: int) -> tuple[int, int]:
        """Return the number of schemas and of levels."""
        if (known := self._measured.get(id(schema))) is None:
            self._measured[id(schema)] = (1, 1)  # for references into this schema
            inner = [self.measure(each, level=level + 1) for each in self._parts(schema)] if level < MAX_LEVELS else []
            known = 1 + sum(count for count, _ in inner), 1 + max((levels for _, levels in inner), default=0)
            self._measured[id(schema)] = known
        if known[0] > MAX_SCHEMAS or level + known[1] > MAX_LEVELS:
            raise ValueError(f"with its references, it has more than {MAX_SCHEMAS} schemas or {MAX_LEVELS} levels")
        return known

    def _parts(self, schema: Schema) -> list[Schema]:
        reference = schema.get("$ref")
        target = self._index.get(unquote(reference)) if isinstance(reference, str) else None
        return [*applied(schema), *([target] if isinstance(target, dict) else [])]
