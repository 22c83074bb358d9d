"""Regular expressions of a props schema, compiled so that no text can stall the process.

JavaScript's expressions can have look-around and back-references, which need a backtracking engine. All others run on
an engine whose time is linear in the text.
"""

import logging

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, RegexOptions

from services.compositions.json_schema.subschemas import Schema, subschemas

Engine = RegexOptions | FancyRegexOptions

LINEAR = RegexOptions()
# A text that needs more steps is rejected. 2,000 take about 0.1 ms; zod's own expressions need a few dozen.
BACKTRACKING = FancyRegexOptions(backtrack_limit=2_000)

log = logging.getLogger(__name__)


def prepare_patterns(schema: Schema, *, owner: str) -> Engine:
    """Return the engine that all patterns of the schema need. Patterns that no engine can compile are removed from it.

    `owner` is what the schema belongs to, for the log.
    """
    backtracking = False
    for each in list(subschemas(schema)):
        for pattern in _patterns(each):
            if _compiles(pattern, LINEAR):
                continue
            if _compiles(pattern, BACKTRACKING):
                backtracking = True
                continue
            log.warning("a pattern in the schema of %s can't be compiled and is not checked: %.200r", owner, pattern)
            _remove(pattern, each)
    return BACKTRACKING if backtracking else LINEAR


def compiled(schema: Schema, engine: Engine) -> Draft202012Validator:
    """Return the validator of a schema. Raises `ValueError` if the schema isn't valid.

    References to other documents are not followed, so they make a schema invalid.
    """
    return Draft202012Validator(schema, pattern_options=engine, validate_formats=True, offline=True)


def _patterns(schema: Schema) -> list[str]:
    pattern, keys = schema.get("pattern"), schema.get("patternProperties")
    return ([pattern] if isinstance(pattern, str) else []) + (list(keys) if isinstance(keys, dict) else [])


def _compiles(pattern: str, engine: Engine) -> bool:
    try:
        compiled({"pattern": pattern}, engine)
    except ValueError:
        return False
    return True


def _remove(pattern: str, schema: Schema) -> None:
    if schema.get("pattern") == pattern:
        del schema["pattern"]
    keys = schema.get("patternProperties")
    if isinstance(keys, dict) and pattern in keys:
        del keys[pattern]
        # Keys that it would have matched must not become additional ones.
        schema.pop("additionalProperties", None)
        schema.pop("unevaluatedProperties", None)
