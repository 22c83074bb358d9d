"""Fixtures: a build of the package, and a program with clients for each module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.conftest import browser
from tests.typescript_client.package import build
from tests.typescript_client.program import Program, open_program

__all__ = ["browser"]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build of the package."""
    return build(tmp_path_factory.mktemp("package"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def program(package: Path) -> AsyncIterator[Program]:
    """A process with clients, which must end by itself after the last test."""
    async with open_program(package / "dist" / "index.js") as program:
        yield program
