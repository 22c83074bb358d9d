"""Schemas with a part of each type, and forms for schemas in a page, created from the studio's modules."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from playwright.async_api import Page

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
    "required": ["name", "children"],
}
CIRCLE = {
    "type": "object",
    "properties": {"type": {"const": "circle"}, "radius": {"type": "number"}},
    "required": ["type", "radius"],
}
BOX = {
    "type": "object",
    "properties": {"type": {"const": "box"}, "width": {"type": "number", "minimum": 1}},
    "required": ["type", "width"],
}
SCENE = {
    "type": "object",
    "properties": {"title": {"type": "string", "maxLength": 60}, "seconds": {"type": "number", "exclusiveMinimum": 0}},
    "required": ["title", "seconds"],
}
EVERYTHING = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 60, "description": "Shown first."},
        "body": {"type": "string", "description": "__remotion-textarea"},
        "tint": {"type": "string", "description": "__remotion-color"},
        "align": {"enum": ["left", "center", "right"]},
        "size": {"type": "integer", "minimum": 8, "maximum": 200, "multipleOf": 4},
        "opacity": {"type": "number", "minimum": 0, "maximum": 1},
        "count": {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
        "isLoud": {"type": "boolean"},
        "subtitle": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "note": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "scenes": {"type": "array", "items": SCENE, "minItems": 1},
        "point": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]},
        "shape": {"anyOf": [CIRCLE, BOX]},
        "amount": {"type": ["string", "number"]},
        "author": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        "tree": {"$ref": "#/$defs/node"},
        "anything": {},
        "date": {},
        "version": {"const": 2},
    },
    "required": ["title", "scenes", "shape", "tree", "version"],
    "$defs": {"node": NODE},
}
PROPS = {
    "title": "Hi",
    "body": "Line\nTwo",
    "tint": "rgb(255 0 0)",
    "align": "center",
    "size": 40,
    "opacity": 0.25,
    "count": 3,
    "isLoud": True,
    "subtitle": None,
    "tags": ["a", "b"],
    "scenes": [{"title": "One", "seconds": 2}],
    "point": [1, 2.5],
    "shape": {"type": "box", "width": 10},
    "amount": 4,
    "prices": {"eur": 1.5},
    "tree": {"name": "root", "children": [{"name": "leaf", "children": []}]},
    "anything": {"x": [1, None]},
    "date": "remotion-date:2024-01-01T00:00:00.000Z",
    "version": 2,
    "unknown": {"kept": True},
}

# Paths of problems, the role and name of each one's field, and the message that is shown there for "Wrong."
PROBLEMS = [
    ("title", "textbox", "Title", "Wrong."),
    ("size", "spinbutton", "Size", "Wrong."),
    ("scenes", "group", "Scenes", "Wrong."),
    ("scenes/0", "group", "Item 1", "Wrong."),
    ("scenes/0/seconds", "spinbutton", "Seconds", "Wrong."),
    ("shape/width", "spinbutton", "Width", "Wrong."),
    ("prices/eur", "spinbutton", "Value", "Wrong."),
    ("tree/children/0/name", "textbox", "Name", "Wrong."),
    ("anything/x/1", "textbox", "Anything", "/x/1: Wrong."),
    ("subtitle", "checkbox", "Subtitle", "Wrong."),
    ("point/1", "spinbutton", "Item 2", "Wrong."),
]

CREATE = """async ({ schema, props }) => {
    const { SchemaForm } = await import(document.querySelector("link[href$='fields/schema-form.js']").href);
    window.announced = [];
    window.schemaForm = new SchemaForm(schema, props, (text) => window.announced.push(text));
    // In the place of the studio's own elements, which it shows and hides when it has loaded the compositions.
    const own = document.querySelector("#composition-fields");
    const place = document.createElement("div");
    place.id = own.id;
    place.append(window.schemaForm.element);
    own.replaceWith(place);
    document.querySelector("#animation-fields")?.remove();
}"""


async def create_form(page: Page, schema: object, props: object) -> None:
    """Show a form for this schema in place of the page's own."""
    await page.evaluate(CREATE, {"schema": schema, "props": props})


async def create_property(
    page: Page, schema: object, value: object, *, root: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Show a form with one property, whose label is "Part". `root` has further keywords of the whole schema."""
    whole = {"type": "object", "properties": {"part": schema}, "required": ["part"], **root}
    await create_form(page, whole, {"part": value})


async def props_of(page: Page) -> Any:
    """Return the form's props, or the message of the field that can't be read."""
    return await page.evaluate("(() => { try { return schemaForm.props } catch (error) { return error.message } })()")


async def part_of(page: Page) -> Any:
    """Return the property of the form that `create_property` has shown."""
    return (await props_of(page))["part"]


async def show_problem(page: Page, path: Sequence[str], message: str = "Wrong.") -> bool:
    """Show a problem at its field. Return whether it has one."""
    return bool(await page.evaluate("([path, text]) => schemaForm.showProblem(path, text)", [list(path), message]))
