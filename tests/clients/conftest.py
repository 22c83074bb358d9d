"""Fixtures: servers for the client tests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auth.bearer import open_bearer_tokens
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.end_to_end.processes import Rendercast
from tests.support import tokens
from tests.support.api_server import serve
from tests.support.server_process import free_port


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`rendercast dev`, shared by the tests of a module."""
    with closing(Rendercast(tmp_path_factory.mktemp("server"), quota_limit=100)) as rendercast:
        yield rendercast.url
    assert "Traceback" not in rendercast.log, rendercast.log


@pytest.fixture
async def guarded_url(tmp_path: Path) -> AsyncIterator[str]:
    """A server that requires a token of `tests.support.tokens`."""
    settings = load_settings(data_dir=tmp_path, port=free_port(), jwt_secret=tokens.SECRET, jwt_leeway_s=0)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(services, authenticate=authenticate, port=settings.server.port) as url,
    ):
        yield url
