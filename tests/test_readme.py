"""The README and the other documents say what is true."""

import json
import re
from pathlib import Path

import pytest
from graphql import parse, validate

from resolvers.schema import build_schema
from services.settings import CHECKOUT, Settings, variable

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
FRONTEND = (CHECKOUT / "docs" / "frontend.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_table_with_its_default_and_meaning(name: str) -> None:
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"`{field.default}`".replace(f"{CHECKOUT}/", "")
    assert f"| `{variable(name)}` | {default} | {field.description} |" in README


def test_no_setting_is_in_the_table_that_does_not_exist() -> None:
    assert len(re.findall(r"^\| `[A-Z_]+` \|", README, re.MULTILINE)) == len(Settings.model_fields)


@pytest.mark.parametrize("document", re.findall(r"```graphql\n(.*?)```", README + FRONTEND, re.DOTALL))
def test_every_operation_is_one_the_schema_knows(document: str) -> None:
    assert validate(build_schema()._schema, parse(document)) == []


def test_a_frontend_is_told_to_install_the_packages_it_is_tested_with() -> None:
    told = " ".join(re.findall(r"^npm install (?:--save-dev )?(.*)", FRONTEND, re.MULTILINE)).split()
    tested = json.loads((CHECKOUT / "tests" / "frontend" / "package.json").read_text(encoding="utf-8"))
    assert sorted(told) == sorted([*tested["dependencies"], *tested["devDependencies"]])


@pytest.mark.parametrize("page", [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *CHECKOUT.glob("docs/**/*.md")])
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
