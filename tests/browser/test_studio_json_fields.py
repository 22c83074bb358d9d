"""Props and parts of props that are edited as JSON in the studio."""

import json

import pytest
from playwright.async_api import Page, expect

from tests.browser.fields import (
    EVERYTHING,
    PROPS,
    create_form,
    create_property,
    part_of,
    props_of,
    show_problem,
)
from tests.browser.visitors import NEEDS_BROWSER, assert_accessible

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, [1]),
        ({"type": "array", "items": True}, [1, "a"]),
        ({"type": "object"}, {"x": 1}),
        ({"type": "string"}, {"not": "a string"}),
        ({"type": "array", "prefixItems": [{"type": "number"}], "items": {"type": "string"}}, [1, "a"]),
        ({"if": {"type": "string"}}, None),
    ],
)
async def test_a_part_without_a_control_is_edited_as_json(page: Page, schema: object, value: object) -> None:
    await create_property(page, schema, value)
    text = page.get_by_role("textbox", name="Part")
    assert json.loads(await text.input_value()) == value
    await text.fill("{")
    assert str(await props_of(page)).startswith("This is not valid JSON.")
    await text.fill('[{"a": null}]')
    assert await part_of(page) == [{"a": None}]


async def test_all_props_can_be_edited_as_json(page: Page) -> None:
    await create_form(page, EVERYTHING, PROPS)
    toggle = page.get_by_role("button", name="Edit as JSON")
    await toggle.click()
    text = page.get_by_role("textbox", name="Props as JSON")
    assert json.loads(await text.input_value()) == PROPS
    assert await show_problem(page, ["scenes", "0", "title"])
    await expect(text).to_have_accessible_description("/scenes/0/title: Wrong.")
    await text.fill("[1]")
    assert await props_of(page) == "The props must be a JSON object."
    await toggle.click()
    await expect(text).to_be_focused()
    await expect(text).to_have_accessible_description("The props must be a JSON object.")
    await assert_accessible(page)
    await text.fill(json.dumps({**PROPS, "title": "From JSON"}))
    await toggle.click()
    await expect(page.get_by_role("textbox", name="Title").first).to_have_value("From JSON")
    assert await page.evaluate("announced") == ["The props are shown as JSON.", "The props are shown as a form."]


async def test_props_without_a_schema_are_edited_as_json(page: Page) -> None:
    await create_form(page, None, {"title": "Hi"})
    await expect(page.get_by_role("button", name="Edit as JSON")).to_be_hidden()
    await page.get_by_role("textbox", name="Props as JSON").fill('{"title": "Other"}')
    assert await props_of(page) == {"title": "Other"}
    await assert_accessible(page)


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#"}]},
        {"type": "object", "properties": {"part": {"$ref": 5}}},
        {"type": "object", "properties": {"part": {"anyOf": {}}}},
    ],
)
async def test_props_whose_schema_has_no_form_are_edited_as_json(page: Page, schema: object) -> None:
    await create_form(page, schema, {"part": "Hi"})
    await expect(page.get_by_role("button", name="Edit as JSON")).to_be_hidden()
    await page.get_by_role("textbox", name="Props as JSON").fill('{"part": "Other"}')
    assert await props_of(page) == {"part": "Other"}
    assert await show_problem(page, ["part"])
