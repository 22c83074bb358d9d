"""The compositions of a site, and its version, from the local function and local sites."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import BackendUnavailable
from services.media import OutputFormat, OutputKind, formats_of
from services.models import CompositionKind
from tests.services.backends.remotion_lambda.conftest import access_for
from tests.support.lambda_compositions import SITE_WITHOUT_HELPER, SiteComposition
from tests.support.lambda_faults import Fault
from tests.support.remotion_farm import Farm

PAGE = "<html>"
Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def site(farm: Farm, **handlers: Handler) -> AsyncIterator[LambdaBackend]:
    """Serve a site with the handlers of its methods, and open the adapter on it."""
    application = web.Application()
    for method, handler in handlers.items():
        application.router.add_route(method, "/index.html", handler)
    async with (
        TestServer(application) as server,
        farm.open(check=False, serve_url=str(server.make_url("/index.html"))) as backend,
    ):
        yield backend


def respond(**headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return handler


async def test_the_version_is_the_etag_of_the_index(farm: Farm) -> None:
    async with site(farm, HEAD=respond(ETag='"abc"', Last_Modified="Mon, 05 Jan 2026 10:00:00 GMT")) as backend:
        assert await backend.site_version() == '"abc"'


async def test_without_an_etag_the_version_is_the_time_of_the_last_change(farm: Farm) -> None:
    async with site(farm, HEAD=respond(Last_Modified="Mon, 05 Jan 2026 10:00:00 GMT")) as backend:
        assert await backend.site_version() == "Mon, 05 Jan 2026 10:00:00 GMT"


async def test_without_both_the_version_is_the_hash_of_the_index(farm: Farm) -> None:
    async with site(farm, HEAD=respond(), GET=respond()) as backend:
        assert await backend.site_version() == hashlib.sha256(PAGE.encode()).hexdigest()


async def test_a_site_that_rejects_head_is_requested_with_get(farm: Farm) -> None:
    async with site(farm, GET=respond(ETag='"abc"'), HEAD=reject) as backend:
        assert await backend.site_version() == '"abc"'


async def reject(_: web.Request) -> web.Response:
    return web.Response(status=405)


async def fail(_: web.Request) -> web.Response:
    return web.Response(status=404)


async def test_a_site_that_is_missing_or_unreachable_is_unavailable(farm: Farm) -> None:
    async with site(farm, HEAD=fail) as backend:
        with pytest.raises(BackendUnavailable, match="REMOTION_SERVE_URL returns 404"):
            await backend.site_version()
    async with farm.open(serve_url="http://127.0.0.1:1/index.html") as backend:
        with pytest.raises(BackendUnavailable, match="REMOTION_SERVE_URL can't be reached"):
            await backend.site_version()


async def test_the_site_and_its_formats(backend: LambdaBackend, farm: Farm) -> None:
    assert backend.site == farm.deployment.serve_url
    assert backend.formats == frozenset(OutputFormat)


async def test_compositions_are_discovered_by_one_invocation(backend: LambdaBackend, farm: Farm) -> None:
    found = {each.id: each for each in await backend.compositions()}
    assert list(found) == ["TextAnimation", "Promo", "Card", "Plain", "Event"]
    assert farm.function.invocations["compositions"] == 1
    assert (found["Promo"].kind, found["Card"].kind) == (CompositionKind.VIDEO, CompositionKind.STILL)
    assert set(found["Promo"].outputs) == frozenset(OutputFormat)
    assert set(found["Card"].outputs) == formats_of(OutputKind.STILL)
    assert [name for name, each in found.items() if each.props_schema is not None] == ["Promo", "Card"]
    assert (found["Promo"].is_dynamic, found["Card"].is_dynamic, found["TextAnimation"].is_dynamic) == (
        True,
        False,
        None,
    )


async def test_a_site_without_the_helper_has_compositions_without_schemas(backend: LambdaBackend, farm: Farm) -> None:
    farm.function.site = SITE_WITHOUT_HELPER
    found = await backend.compositions()
    assert len(found) == 5
    assert {(each.props_schema, each.is_dynamic) for each in found} == {(None, None)}


def broken(props: object) -> dict[str, object]:
    raise ValueError(f"calculateMetadata() failed for {props}")


async def test_a_composition_that_raises_an_error_is_reported_with_it(backend: LambdaBackend, farm: Farm) -> None:
    promo = farm.function.site["Promo"]
    farm.function.site = {**farm.function.site, "Promo": SiteComposition(promo.described, broken)}
    with pytest.raises(BackendUnavailable, match="COMPOSITION_ERROR") as unavailable:
        await backend.compositions()
    assert "calculateMetadata() failed for" in str(unavailable.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.ACCESS_DENIED, "grant lambda:InvokeFunction"),
        (Fault.THROTTLED, "TooManyRequestsException"),
        (Fault.CRASHED, "Runtime.ExitError"),
        (Fault.HELD, "Invoke: "),
    ],
)
async def test_an_error_of_the_function_is_reported_to_the_operator(farm: Farm, fault: Fault, words: str) -> None:
    farm.function.fault(fault, kind="compositions")
    async with farm.open(access=access_for(fault)) as backend:
        with pytest.raises(BackendUnavailable, match=words):
            await backend.compositions()


async def test_a_response_without_a_list_is_reported(backend: LambdaBackend, farm: Farm) -> None:
    farm.function.fault(Fault.SEVERAL_OBJECTS, kind="compositions")
    assert await backend.compositions()
    farm.function.site = {}
    assert await backend.compositions() == ()
