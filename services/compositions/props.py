"""Validation of a composition's props."""

import logging

import orjson

from services.compositions.json_schema.schema import JsonSchema
from services.errors import PathProblem
from services.models import Composition

log = logging.getLogger(__name__)


class PropsValidator:
    """Validates props for one composition. Its schema is compiled once.

    A schema that can't be used is logged and not enforced: the composition then accepts any object.
    """

    def __init__(self, composition: Composition) -> None:
        self._defaults: dict[str, object] = orjson.loads(composition.default_props)
        self._schema = _compile(composition)

    def problems(self, props: object, *, path: str = "/composition/props") -> list[PathProblem]:
        """Return what the schema does not accept of the props merged over the defaults; none if they are valid.

        The props must have passed `check_json`. `path` is their path; paths of members are below it. Remotion merges
        one level deep, and does not apply the defaults that a schema has.
        """
        if not isinstance(props, dict):
            return [PathProblem(path=path, message="Give an object with the props of the composition.")]
        return [] if self._schema is None else self._schema.problems({**self._defaults, **props}, path=path)


def _compile(composition: Composition) -> JsonSchema | None:
    if composition.props_schema is None:
        return None
    try:
        return JsonSchema(composition.props_schema, owner=f"the composition {composition.id}")
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        log.warning(
            "the schema of the composition %s can't be used, so its props are not checked: %.300s",
            composition.id,
            reason,
        )
        return None
