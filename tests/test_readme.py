"""The README and the other documents match the code."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from resolvers.schema import build_schema
from services.settings import CHECKOUT, FIELDS
from services.settings.reference import reference, row
from tests.support.markdown import anchors

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 150
MAX_FRONTEND_LINES = 250
FRONTEND = (CHECKOUT / "docs" / "frontend.md").read_text(encoding="utf-8")


SETTINGS = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_settings_reference_is_up_to_date() -> None:
    assert reference() == SETTINGS, "run: make settings"


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_in_the_reference_with_its_default_and_meaning(name: str) -> None:
    assert f"\n{row(name)}\n" in SETTINGS
    assert "|" not in f"{FIELDS[name].description}"


def test_the_settings_in_the_readme_are_those_of_the_reference() -> None:
    rows = re.findall(r"^\| `[A-Z0-9_]+`(?: or `…_FILE`)? \|.*", README, re.MULTILINE)
    assert set(rows) <= {row(name) for name in FIELDS}
    assert len(rows) == len(set(rows)) >= 10


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_LINES


def test_the_frontend_guide_is_short() -> None:
    assert len(FRONTEND.splitlines()) <= MAX_FRONTEND_LINES


@pytest.mark.parametrize("document", re.findall(r"```graphql\n(.*?)```", README + FRONTEND, re.DOTALL))
def test_every_operation_is_valid(document: str) -> None:
    assert validate(build_schema().core_schema, parse(document)) == []


@pytest.mark.parametrize("page", [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *CHECKOUT.glob("docs/**/*.md")])
def test_every_link_to_a_file_is_valid(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not is_valid(page, link)] == []


def is_valid(page: Path, link: str) -> bool:
    """Return whether the file exists and, for a Markdown page, has the heading that the link names."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
