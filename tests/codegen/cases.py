"""Programs that use generated types, in TypeScript and in Python."""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

PROMO = {
    "title": "Hello",
    "seconds": 2,
    "layout": "center",
    "scenes": [{"text": "One", "picture": {"src": "https://example.com/a.png", "zoom": 2}}],
}
# The compositions whose schema is that of Promo with one change, and what the compiler must complain about.
CHANGES = {
    "Renamed": "title",
    "TypeChanged": "seconds",
    "ValueRemoved": "layout",
    "Added": "subtitle",
    "NestedChanged": "zoom",
}
EVERYTHING: Json = {
    "brand": {"name": "Acme", "colors": ["red", "blue"]},
    "tree": {"label": "a", "children": [{"label": "b", "children": []}]},
    "anything": {"a": [1, "b", None, {"c": True}]},
    "body": None,
    "background": {"type": "image", "src": "https://example.com/a.png"},
    "range": [1.5, True, False],
    "sizes": {"s": 1, "m": 2},
    "counts": {"a": 1.5},
    "both": {"a": "a", "b": 1},
    "on": "2026-11-30",
    "percent": "50%",
    "version": "two",
    "parsed": "7",
    "loose": {"known": "a", "other": 1},
    "strict": {},
    "data-id": "x",
    "class": "y",
}
# Values of its props that no type may accept.
WRONG: Mapping[str, Any] = {
    "brand": {"name": "Acme", "colors": ["red"]},
    "tree": {"label": "a", "children": [{"label": 1, "children": []}]},
    "body": 1,
    "background": {"type": "image", "color": "red"},
    "range": ["a"],
    "sizes": {"s": 1},
    "counts": {"a": "b"},
    "both": {"a": "a"},
    "on": None,
    "version": 2,
    "parsed": 7,
    "loose": 1,
    "data-id": 1,
    "unknown": 1,
}


def typescript(composition_id: str, props: Json) -> str:
    """Return a program that starts a render."""
    start = f"client.start({{ composition: {json.dumps(composition_id)}, props: {json.dumps(props, indent=1)} }})"
    return (
        f'import {{ createClient }} from "@rendercast/client";\nconst client = createClient({{ url: "" }});\n{start};\n'
    )


def python(constant: str, props: Json) -> str:
    """Return a program that starts a render."""
    return (
        f"from rendercast.client import Client\nfrom rendercast_types import {constant}\n\n\n"
        f"def start(client: Client) -> None:\n    client.start({constant}({props!r}))\n"
    )
