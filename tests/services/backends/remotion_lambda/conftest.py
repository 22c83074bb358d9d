from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.backend import LambdaBackend
from services.models import Render
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.remotion_farm import Farm

SHORT_TIMEOUT = AwsAccess(region="us-east-1", access_key_id="key", secret_access_key="s", start_timeout_s=0.5)  # noqa: S106


@pytest.fixture
async def backend(farm: Farm) -> AsyncIterator[LambdaBackend]:
    async with farm.open(access=SHORT_TIMEOUT) as backend:
        yield backend


@pytest.fixture
async def impatient(farm: Farm) -> AsyncIterator[LambdaBackend]:
    """Return the backend with a time limit that is too short for most stills."""
    async with farm.open(access=replace(SHORT_TIMEOUT, work_timeout_s=0.5)) as backend:
        yield backend


@pytest.fixture
def launched(make_render: MakeRender) -> Callable[..., Render]:
    """Return a factory of renders whose attempt is about to be started."""

    def make(**values: object) -> Render:
        render = make_render(**values)
        return lifecycle.launch(render, now=render.created_at)

    return make


@pytest.fixture
def promo(launched: Callable[..., Render]) -> Callable[..., Render]:
    """Return a factory of such renders of the composition Promo."""

    def make(**values: object) -> Render:
        return launched(**{"props": None, "input_props": "{}", "composition_id": "Promo", **values})

    return make
