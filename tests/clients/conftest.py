"""Fixtures: servers for the client tests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio

from auth.bearer import open_bearer_tokens
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.end_to_end.processes import Rendercast, assert_no_traceback
from tests.end_to_end.slow import SlowRenderers
from tests.support import tokens
from tests.support.api_server import serve
from tests.support.server_process import free_port

SMALL = {"text_width": 320, "text_height": 180}
PROGRAM_TIMEOUT_S = 120.0  # the programs take some seconds


@pytest.fixture(scope="module")
def renderers(tmp_path_factory: pytest.TempPathFactory) -> SlowRenderers:
    """The renderers of all servers of a module: slow until a client has seen progress."""
    renderers = SlowRenderers(tmp_path_factory.mktemp("renderers"))
    renderers.slow_down()
    return renderers


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, renderers: SlowRenderers) -> Iterator[str]:
    """`rendercast dev`, shared by the tests of a module."""
    settings = {**SMALL, **renderers.settings, "quota_limit": 100}
    with closing(Rendercast(tmp_path_factory.mktemp("server"), **settings)) as rendercast:
        yield rendercast.url
    assert_no_traceback(rendercast.log)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded_url(tmp_path_factory: pytest.TempPathFactory, renderers: SlowRenderers) -> AsyncIterator[str]:
    """A server that requires a token of `tests.support.tokens`, shared by the tests of a module."""
    given = {**SMALL, "data_dir": tmp_path_factory.mktemp("guarded"), "port": free_port(), "quota_limit": 100}
    settings = load_settings(jwt_secret=tokens.SECRET, jwt_leeway_s=0, **given)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in renderers.settings.items():
            monkeypatch.setenv(name, str(value))
        async with (
            open_embedded(settings) as services,
            open_bearer_tokens(settings.auth) as authenticate,
            serve(services, authenticate=authenticate, port=settings.server.port) as url,
        ):
            yield url
