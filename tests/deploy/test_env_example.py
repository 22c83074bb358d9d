"""`.env.example` lists every setting, and the passwords of compose.yaml."""

import re

import pytest

from services.settings import CHECKOUT, FIELDS, variable
from services.settings.reference import default_text

EXAMPLE = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
PASSWORDS = ["MONGO_PASSWORD", "REDIS_PASSWORD"]
VARIABLES = {variable(name) for name in FIELDS}


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_in_the_example_with_its_meaning_and_default(name: str) -> None:
    field = FIELDS[name]
    default = default_text(name)
    lines = rf"# {re.escape(field.description or '')}\n(#.*\n)?#?{variable(name)}={re.escape(default)}\n"
    assert re.search(lines, EXAMPLE), f"Add to .env.example:\n\n# {field.description}\n#{variable(name)}={default}"


def test_the_example_has_each_setting_once_and_no_unknown_one() -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted({*VARIABLES, *PASSWORDS})


def test_the_example_sets_only_secrets_and_leaves_them_empty() -> None:
    set_lines = re.findall(r"^[^#\n].*", EXAMPLE, re.MULTILINE)
    assert set_lines == [f"{name}=" for name in (*PASSWORDS, "RENDERCAST_JWT_SECRET")]
