"""Responses to progress file requests that S3, or a proxy in between, may send."""

import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.backend import open_lambda_backend
from services.backends.remotion_lambda.polling import MAX_BODY_BYTES
from services.errors import BackendUnavailable
from services.models import Render
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from services.renders import lifecycle
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_scenarios import Scenario
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.remotion_farm import BUCKET, DEPLOYMENT, Farm, FastClock
from tests.support.server_process import TIMEOUT_S as ENDED_TIMEOUT_S
from tests.support.server_process import free_port

pytestmark = pytest.mark.slow

TOKEN = "THE-SESSION-TOKEN"  # noqa: S105
TIMEOUT_S = 120 + 21  # the function's timeout and the grace period after it
REJECTION = f"<Error><Code>InvalidToken</Code><Message>It is malformed.</Message><Token-0>{TOKEN}</Token-0></Error>"

Launched = Callable[..., Render]


class ScriptedStorage:
    """A server in place of S3 on which every object has the same response to GET, and to HEAD."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.status = 200
        self.head_status = 200
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.raw = b""  # sent instead of a response, if not empty
        self.requested: list[str] = []


class _Handler(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802  # http.server looks for this name
        owner = cast("ScriptedStorage", cast("LocalServer", self.server).owner)
        owner.requested.append(self.path)
        if owner.raw:
            self.wfile.write(owner.raw)
            self.close_connection = True
        else:
            self.respond(owner.status, owner.headers, owner.body)

    def do_HEAD(self) -> None:  # noqa: N802  # and for this
        owner = cast("ScriptedStorage", cast("LocalServer", self.server).owner)
        self.respond(owner.head_status, [], b"video")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedStorage]:
    """Configure it for boto3, and credentials with a token."""
    scripted = ScriptedStorage()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", scripted.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    server = LocalServer(scripted.port, _Handler, scripted)
    yield scripted
    server.stop()


@pytest.fixture
def running(launched: Launched) -> Render:
    return lifecycle.accept(launched(), backend_render_id="abcdefghij")


async def observe_error(render: Render) -> BackendUnavailable:
    deployment = replace(DEPLOYMENT, access=AwsAccess(region="us-east-1"))
    async with open_lambda_backend(deployment, clock=FastClock(1), check=False) as backend:
        with pytest.raises(BackendUnavailable) as unavailable:
            await backend.observe(render)
    return unavailable.value


def contains_secret(error: BackendUnavailable, caplog: pytest.LogCaptureFixture) -> bool:
    texts = "".join([*traceback.format_exception(error), str(error.failure), caplog.text])
    return any(secret in texts for secret in ("X-Amz-Signature", "X-Amz-Credential", TOKEN))


@pytest.mark.parametrize("location", ["http://127.0.0.1:{}/latest/meta-data", "http://[bad", "/{}"])
async def test_a_redirect_is_an_error(
    storage: ScriptedStorage, running: Render, caplog: pytest.LogCaptureFixture, location: str
) -> None:
    storage.status, storage.headers = 302, [("Location", location.format(storage.port))]
    error = await observe_error(running)
    assert "302" in str(error)
    assert not contains_secret(error, caplog)
    assert ["progress.json" in path for path in storage.requested] == [True]


async def test_the_error_for_an_invalid_response_contains_no_url(
    storage: ScriptedStorage, running: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage.raw = b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"
    error = await observe_error(running)
    assert str(error).startswith("GetObject: ")
    assert not contains_secret(error, caplog)


async def test_the_error_for_a_rejection_contains_its_code_and_message_only(
    storage: ScriptedStorage, running: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage.status, storage.body = 400, REJECTION.encode()
    error = await observe_error(running)
    assert str(error).startswith("The AWS credentials are wrong or have expired: renew REMOTION_AWS_ACCESS_KEY_ID ")
    assert str(error).endswith(" (GetObject: InvalidToken: It is malformed.)")
    assert error.failure is not None
    assert error.failure.code == "CREDENTIALS_INVALID"
    assert not contains_secret(error, caplog)


async def test_a_file_that_is_too_large_is_not_read_to_its_end(storage: ScriptedStorage, running: Render) -> None:
    storage.body = b'{"x":"' + b"x" * MAX_BODY_BYTES + b'"}'
    storage.status = 200
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        observed = await backend.observe(running)  # the HEAD request for its video succeeds too
    assert isinstance(observed, AttemptFinished)
    storage.body = b'{"x":"' + b"x" * (MAX_BODY_BYTES - 8) + b'"}'
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        assert isinstance(await backend.observe(running), AttemptProgress)


async def test_without_a_date_header_the_own_clock_is_used(storage: ScriptedStorage, running: Render) -> None:
    clock = FastClock(1)
    now_ms = clock.now().timestamp() * 1000
    storage.body, storage.head_status = json.dumps({"timeoutTimestamp": now_ms + 120_000}).encode(), 404
    async with open_lambda_backend(DEPLOYMENT, clock=clock, check=False) as backend:
        for header in ([], [("Date", "yesterday")]):
            storage.headers = header
            assert isinstance(await backend.observe(running), AttemptProgress)
        clock.jump(TIMEOUT_S)
        assert isinstance(await backend.observe(running), AttemptFailed)


async def test_timeouts_are_measured_by_the_clock_of_s3(farm: Farm, launched: Launched) -> None:
    farm.function.use_scenario_next(Scenario.STITCHER_TIMES_OUT)
    farm.function.use_scenario_next(Scenario.LAUNCH_DIES)
    for difference in (timedelta(hours=1), timedelta(hours=-1)):
        clock = FastClock(1)
        async with open_lambda_backend(farm.deployment, clock=clock, check=False) as backend:
            clock.jump(difference.total_seconds())
            render = await start_attempt(backend, launched())
            assert farm.function.renders[render.backend_render_id or ""].ended.wait(ENDED_TIMEOUT_S)
            assert isinstance(await backend.observe(render), AttemptProgress)
            farm.clock.jump(2 * TIMEOUT_S)
            assert isinstance(await backend.observe(render), AttemptFailed)  # of a file that has not changed
    assert farm.storage.count("GET", status=304) == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
async def test_a_corrupt_file_does_not_hide_the_video(farm: Farm, launched: Launched, body: bytes) -> None:
    async with farm.open() as backend:
        render = await start_attempt(backend, launched())
        finished = await until(backend, render, AttemptFinished)
        assert farm.function.renders[render.backend_render_id or ""].ended.wait(ENDED_TIMEOUT_S)
        farm.bucket.put(BUCKET, f"renders/{render.backend_render_id}/progress.json", body)
        assert (await until(backend, render, AttemptFinished)).output == finished.output
        farm.bucket.delete(BUCKET, finished.output.key)
        with pytest.raises(BackendUnavailable, match="is corrupt") as unavailable:
            await backend.observe(render)
    assert unavailable.value.failure is None


@pytest.mark.parametrize("changes", [{"functionLaunched": "2026-11-22"}, {"cancellationEnabled": {"since": 1}}])
async def test_unknown_keys_may_have_any_value(
    storage: ScriptedStorage, running: Render, changes: dict[str, object]
) -> None:
    storage.body = json.dumps({"framesRendered": 3, **changes}).encode()
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        assert isinstance(await backend.observe(running), AttemptProgress)
