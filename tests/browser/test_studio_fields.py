"""The fields that the studio generates from JSON Schemas."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.fields import (
    BOX,
    CIRCLE,
    EVERYTHING,
    NODE,
    PROBLEMS,
    PROPS,
    SCENE,
    create_form,
    create_property,
    part_of,
    props_of,
    show_problem,
)
from tests.browser.visitors import NEEDS_BROWSER, assert_accessible

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def test_props_that_the_user_leaves_alone_are_sent_as_they_are(page: Page) -> None:
    await create_form(page, EVERYTHING, PROPS)
    assert await props_of(page) == PROPS
    await assert_accessible(page)


async def test_each_type_has_its_control(page: Page) -> None:
    await create_form(page, EVERYTHING, PROPS)
    title = page.get_by_role("textbox", name="Title", exact=True).first
    await expect(title).to_have_accessible_description("up to 60 characters Shown first.")
    await expect(page.get_by_role("textbox", name="Body")).to_have_value("Line\nTwo")
    await expect(page.get_by_label("Pick: Tint")).to_have_value("#ff0000")
    await expect(page.get_by_role("combobox", name="Align")).to_have_value("1")
    await expect(page.get_by_role("spinbutton", name="Size")).to_have_accessible_description("8 to 200")
    await expect(page.get_by_role("spinbutton", name="Count")).to_have_accessible_description("")
    await expect(page.get_by_role("checkbox", name="Is loud")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="Subtitle")).not_to_be_checked()
    await expect(page.get_by_role("textbox", name="Note (optional)")).to_have_value("")
    await expect(page.get_by_role("group", name="Scenes").get_by_role("group", name="Item 1")).to_be_visible()
    await expect(page.get_by_role("group", name="Point").get_by_label("Item 2")).to_have_value("2.5")
    await expect(page.get_by_role("group", name="Shape").get_by_label("Type", exact=True)).to_have_value("1")
    await expect(page.get_by_role("group", name="Prices").get_by_label("Key")).to_have_value("eur")
    await expect(page.get_by_role("textbox", name="Anything")).to_have_value(re.compile('"x": \\['))
    await expect(page.get_by_role("textbox", name="Date")).to_have_value(str(PROPS["date"]))
    await expect(page.get_by_label("Version")).to_have_count(0)


async def test_a_missing_property_gets_its_default_or_the_simplest_value(page: Page) -> None:
    await create_form(
        page,
        {
            "type": "object",
            "properties": {
                "align": {"type": "string", "default": "left"},
                "scenes": {"type": "array", "items": SCENE, "minItems": 2},
                "size": {"type": "integer", "minimum": 8},
                "tint": {"type": "string", "description": "__remotion-color"},
                "shape": {"oneOf": [CIRCLE, BOX]},
                "note": {"type": "string"},
            },
            "required": ["scenes", "size", "tint", "shape"],
        },
        {},
    )
    scene = {"title": "", "seconds": 1}
    assert await props_of(page) == {
        "align": "left",
        "scenes": [scene, scene],
        "size": 8,
        "tint": "#000000",
        "shape": {"type": "circle", "radius": 0},
    }


async def test_the_simplest_value_of_a_recursive_union_is_small(page: Page) -> None:
    sum_of = {
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/term"}, "right": {"$ref": "#/$defs/term"}},
        "required": ["left", "right"],
    }
    endless = {"type": "object", "properties": {"next": {"$ref": "#/$defs/endless"}}, "required": ["next"]}
    term = {"anyOf": [sum_of, {"type": "number"}]}
    schema = {
        "type": "object",
        "properties": {"term": {"$ref": "#/$defs/term"}, "endless": {"$ref": "#/$defs/endless"}},
        "required": ["term", "endless"],
        "$defs": {"term": term, "endless": endless},
    }
    await create_form(page, schema, {})
    assert await props_of(page) == {"term": {"left": 0, "right": 0}, "endless": None}


async def test_a_number_has_a_slider_and_must_be_a_number(page: Page) -> None:
    await create_property(page, {"type": "number", "minimum": 0, "maximum": 1}, 0.5)
    number = page.get_by_role("spinbutton", name="Part")
    await page.locator("#composition-fields input[type=range]").fill("0.75")
    await expect(number).to_have_value("0.75")
    assert await part_of(page) == 0.75
    await number.fill("")
    assert await props_of(page) == "Enter a number."
    await number.fill("1e-7")
    assert await part_of(page) == 1e-7


async def test_optional_values_can_be_left_out_and_nullable_ones_be_null(page: Page) -> None:
    schema = {
        "type": "object",
        "properties": {
            "part": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "number": {"type": "number"},
                    "choice": {"enum": ["a", "b"]},
                    "flag": {"type": "boolean"},
                    "inner": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
                    "nothing": {"type": ["string", "null"]},
                },
            }
        },
        "required": ["part"],
    }
    given = {"text": "a", "number": 1, "choice": "a", "inner": {"x": 1}, "nothing": "some"}
    await create_form(page, schema, {"part": given})
    assert await part_of(page) == given
    await page.get_by_label("Text (optional)", exact=True).fill("")
    await page.get_by_label("Number (optional)").fill("")
    await page.get_by_label("Choice (optional)").select_option("Not set")
    await page.get_by_role("checkbox", name="Inner").uncheck()
    await page.get_by_role("checkbox", name="Nothing").uncheck()
    await expect(page.get_by_label("X", exact=True)).to_be_hidden()
    assert await part_of(page) == {"nothing": None}
    await page.get_by_role("checkbox", name="Inner").check()
    await page.get_by_label("X", exact=True).fill("2")
    await page.get_by_role("checkbox", name="Nothing").check()
    assert await part_of(page) == {"inner": {"x": 2}, "nothing": "some"}


async def test_a_list_is_edited_by_keyboard_and_each_change_is_announced(page: Page) -> None:
    await create_property(
        page, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}, ["a", "b"]
    )
    add = page.get_by_role("button", name="Add item to Part")
    press = page.keyboard.press
    await add.focus()
    await press("Enter")
    await expect(page.get_by_label("Item 3", exact=True)).to_be_focused()
    await expect(add).to_be_disabled()
    await page.keyboard.type("c")
    await press("Tab")
    await expect(page.get_by_role("button", name="Move item 3 of Part up")).to_be_focused()
    await press("Enter")
    await expect(page.get_by_role("button", name="Move item 2 of Part up")).to_be_focused()
    await press("Enter")
    await expect(page.get_by_role("button", name="Move item 1 of Part down")).to_be_focused()
    assert await part_of(page) == ["c", "a", "b"]
    for left in (["a", "b"], ["b"]):
        await page.get_by_role("button", name="Remove item 1 of Part").focus()
        await press("Enter")
        assert await part_of(page) == left
    await expect(page.get_by_role("button", name="Remove item 1 of Part")).to_be_disabled()
    await expect(add).to_be_focused()
    assert await page.evaluate("announced") == [
        "Added item 3.",
        "Moved to position 2 of 3.",
        "Moved to position 1 of 3.",
        "Removed item 1.",
        "Removed item 1.",
    ]


async def test_the_alternatives_of_a_union_keep_their_values(page: Page) -> None:
    await create_property(
        page, {"anyOf": [CIRCLE, BOX, {"type": "string", "title": "Custom"}]}, {"type": "box", "width": 3}
    )
    kind = page.get_by_label("Type", exact=True)
    assert await kind.locator("option").all_text_contents() == ["circle", "box", "Custom"]
    await kind.select_option("circle")
    await page.get_by_label("Radius").fill("5")
    assert await part_of(page) == {"type": "circle", "radius": 5}
    await kind.select_option("Custom")
    await page.get_by_label("Custom").fill("star")
    assert await part_of(page) == "star"
    await kind.select_option("box")
    assert await part_of(page) == {"type": "box", "width": 3}


async def test_the_entries_of_a_record_have_keys_of_the_users_choice(page: Page) -> None:
    await create_property(page, {"type": "object", "additionalProperties": {"type": "number"}}, {"eur": 1})
    await page.get_by_role("button", name="Add entry").click()
    await page.get_by_label("Key").nth(1).fill("eur")
    await page.get_by_label("Value").nth(1).fill("2")
    assert await props_of(page) == "The key “eur” is used twice."
    await page.get_by_label("Key").nth(1).fill("usd")
    assert await part_of(page) == {"eur": 1, "usd": 2}
    await page.get_by_role("button", name="Remove “eur”").click()
    assert await part_of(page) == {"usd": 2}
    await expect(page.get_by_role("button", name="Remove “usd”")).to_be_focused()


async def test_recursive_schemas_and_references_are_followed(page: Page) -> None:
    root = {"$defs": {"node": NODE, "loop": {"$ref": "#/$defs/loop"}}}
    await create_property(page, {"$ref": "#/$defs/node"}, {"name": "root", "children": []}, root=root)
    for _ in range(2):
        await page.get_by_role("button", name="Add item to Children").first.click()  # the innermost one
    child = {"name": "", "children": [{"name": "", "children": []}]}
    assert await part_of(page) == {"name": "root", "children": [child]}
    for reference in ("#/$defs/loop", "#/$defs/100%"):  # the second one is no valid URI reference
        await create_property(page, {"$ref": reference}, {"x": 1}, root=root)
        assert await part_of(page) == {"x": 1}


@pytest.mark.parametrize(("path", "role", "name", "message"), PROBLEMS)
async def test_a_problem_is_shown_at_its_field_until_the_field_changes(
    page: Page, path: str, role: str, name: str, message: str
) -> None:
    await create_form(page, EVERYTHING, PROPS)
    assert await show_problem(page, path.split("/"))
    [invalid] = await page.locator("#composition-fields [data-invalid]").all()
    await expect(page.get_by_role(role, name=name, exact=True).and_(invalid)).to_have_count(1)  # type: ignore[arg-type]
    await expect(invalid).to_have_accessible_description(re.compile(re.escape(message)))
    await invalid.dispatch_event("input", {"bubbles": True})
    await expect(page.locator("[data-invalid]")).to_have_count(0)
    assert not await show_problem(page, [])


async def test_a_new_list_that_needs_very_many_items_has_only_some(page: Page) -> None:
    schema = {"type": "array", "items": {"type": "boolean"}, "minItems": 10**9}
    whole = {"type": "object", "properties": {"part": schema}, "required": ["part"]}
    await create_form(page, whole, {})
    assert await part_of(page) == [False] * 100
