from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.backend import LambdaBackend
from services.models import Render
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.lambda_faults import Fault
from tests.support.remotion_farm import Farm

ACCESS = AwsAccess(region="us-east-1", access_key_id="key", secret_access_key="s")  # noqa: S106
SHORT_TIMEOUT_S = 0.5  # for functions that do not respond at all


@pytest.fixture
async def backend(farm: Farm) -> AsyncIterator[LambdaBackend]:
    async with farm.open(access=ACCESS) as backend:
        yield backend


def access_for(fault: Fault) -> AwsAccess:
    """Return the access with which to wait for the work of a function with this fault."""
    return replace(ACCESS, work_timeout_s=SHORT_TIMEOUT_S) if fault is Fault.HELD else ACCESS


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
