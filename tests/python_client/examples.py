"""The examples in the README of the Python client."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from services.settings import CHECKOUT

FOLDER = CHECKOUT / "clients" / "python"
EXAMPLES = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


def examples(*, waiting: bool) -> Sequence[str]:
    """Return the examples that wait for the end of a render, or the others."""
    return [each for each in EXAMPLES if ("watch(" in each) is waiting]


def run_example(example: str, url: str) -> None:
    """Run an example in the working directory, with a server at this URL."""
    names: dict[str, Any] = {}
    exec(compile(example.replace(ADDRESS, url), "README.md", "exec"), names)  # noqa: S102  # from the checkout
    if "main" in names:
        asyncio.run(names["main"]())
