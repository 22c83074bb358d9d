"""Compositions whose ids, descriptions, keys and values would become code if they were not escaped."""

from typing import Any

from commands.codegen.schemas import Source

Json = dict[str, Any]

# What would run in Python, or would be declared in TypeScript. Each closes a comment or a string in one way.
PYTHON = "raise SystemExit('Hacked')"
TYPESCRIPT = "export type Hacked = 1; declare global { const hacked: 1 }"
BREAKS = (
    *('"""', "'''", '"', "'", "\\", '\\"', '\\"""', "\n", "\r", "\u2028", "\x0c", "\\n", "\\N{BULLET}", "`", "${1}"),
    *("*/", "**//", "*\\/", "*\u200b/", "};", "})", "}", "{{ x }}", "{% endif %}", "{{''.__class__}}", "# ", "// "),
)
TEXTS = tuple(
    f"x{each}{before}{code}{each}" for each in BREAKS for before in ("\n", " ") for code in (PYTHON, TYPESCRIPT)
)
# Keys of objects that are unusual, but could be someone's.
KEYS = (
    *("__typename", "__class__", "_private", "__slots__", "self", "cls", "class", "None", "print", "match", "type"),
    *("list", "str", "Any", "Literal", "NotRequired", "TypedDict", "constructor", "__proto__", "prototype", "toString"),
    *("", " ", "0", "1a", "a b", "a-b", "a.b", "a/b", "é", "e\u0301", "ﬁ", "ª", "标题", "😀", "x" * 300),
    *("$ref", "$defs", "$id", "properties", "definitions", "description", "tsType", "model_config", "total"),
)
_CYCLES: Json = {
    "x": {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "string"}]},
    "y": {"allOf": [{"$ref": "#/$defs/z"}, {"properties": {"y": {"$ref": "#"}}}]},
    "z": {"allOf": [{"$ref": "#/$defs/y"}, {"properties": {"z": {"type": "string"}}}]},
}


def hostile() -> list[Source]:
    """Return the compositions."""
    return [
        *(Source(id=f"text-{number}", schema=_schema(text)) for number, text in enumerate(TEXTS)),
        *(Source(id=text, schema=None) for text in TEXTS),
        Source(id="keys", schema=_object(KEYS)),
        *(Source(id=f"key-{number}", schema=_object([key])) for number, key in enumerate(KEYS)),
        *(Source(id=each, schema=None) for each in ('"', "'", "\\", "__proto__", "constructor", "class", "None")),
        *(Source(id=each, schema=None) for each in ("标题", "😀")),
        Source(id="alias", schema={"$ref": "#/$defs/None", "$defs": {"None": _object(["a"])}}),
        Source(id="files", schema={"$ref": "file:///etc/passwd", "$id": "http://127.0.0.1:1/x", "$schema": "nope"}),
        Source(id="number", schema={"type": "number", "tsType": TYPESCRIPT, "customTypePath": "os.system"}),
        Source(id="union", schema={"oneOf": [_object(["a"]), _object(["b"]), {"type": "null"}]}),
        Source(id="deep", schema=_deep(19)),  # about the limit of a catalog
        Source(
            id="cycles", schema={"properties": {each: {"$ref": f"#/$defs/{each}"} for each in "xyz"}, "$defs": _CYCLES}
        ),
        Source(id="Composition", schema=_object(["a"])),
        Source(id="Compositions", schema=_object(["a"])),
    ]


def _schema(text: str) -> Json:
    return {
        "title": text,
        "description": text,
        "type": "object",
        "properties": {
            text: {"type": "string", "description": text},
            "a": {"enum": [text, "b"], "description": text, "default": text},
            "b": {"const": text},
            "c": {"type": text},
            "d": {"$ref": f"#/$defs/{text}", "description": text},
            "e": {"$ref": "#/$defs/e", "description": text},
            "f": {"type": "array", "items": {"type": "string", "description": text}},
        },
        "required": [text],
        "$defs": {text: {"type": "object", "description": text}, "e": _object([text])},
    }


def _object(keys: Any) -> Json:
    return {"type": "object", "properties": {each: {"type": "string"} for each in keys}, "required": list(keys)}


def _deep(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {
            "type": "object",
            "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "array", "items": schema}]}},
        }
    return schema
