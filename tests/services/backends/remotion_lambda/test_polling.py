"""Progress files as S3, or what stands between, may answer them."""

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
from services.ports import Broken, Finished, Progress
from services.renders import lifecycle
from tests.services.backends.test_backend_contract import begun, until
from tests.support.lambda_renders import Course
from tests.support.remotion_farm import BUCKET, DEPLOYMENT, Farm, FastClock
from tests.support.s3_server import LocalHandler, LocalServer
from tests.support.server_process import free_port

TOKEN = "THE-SESSION-TOKEN"  # noqa: S105
TIMEOUT_S = 120 + 21  # of the function, and until it is given up
REFUSAL = f"<Error><Code>InvalidToken</Code><Message>It is malformed.</Message><Token-0>{TOKEN}</Token-0></Error>"

Launched = Callable[..., Render]


class Scripted:
    """What stands in for S3, has everything, and answers each GET in the same way."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.status = 200
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.raw = b""  # instead of an answer, if not empty
        self.asked: list[str] = []


class _Handler(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802  # http.server looks for this name
        owner = cast("Scripted", cast("LocalServer", self.server).owner)
        owner.asked.append(self.path)
        if owner.raw:
            self.wfile.write(owner.raw)
            self.close_connection = True
        else:
            self.answer(owner.status, owner.headers, owner.body)

    def do_HEAD(self) -> None:  # noqa: N802  # and for this
        self.answer(200, [], b"")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """Let boto3 find it, and credentials with a token."""
    scripted = Scripted()
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


async def fault_of(render: Render) -> BackendUnavailable:
    deployment = replace(DEPLOYMENT, access=AwsAccess(region="us-east-1"))
    async with open_lambda_backend(deployment, clock=FastClock(1), check=False) as backend:
        with pytest.raises(BackendUnavailable) as unavailable:
            await backend.observe(render)
    return unavailable.value


def tells_secrets(error: BackendUnavailable, caplog: pytest.LogCaptureFixture) -> bool:
    told = "".join([*traceback.format_exception(error), str(error.failure), caplog.text])
    return any(secret in told for secret in ("X-Amz-Signature", "X-Amz-Credential", TOKEN))


@pytest.mark.parametrize("location", ["http://127.0.0.1:{}/latest/meta-data", "http://[bad", "/{}"])
async def test_a_redirect_is_a_fault(
    storage: Scripted, running: Render, caplog: pytest.LogCaptureFixture, location: str
) -> None:
    storage.status, storage.headers = 302, [("Location", location.format(storage.port))]
    error = await fault_of(running)
    assert "302" in str(error)
    assert not tells_secrets(error, caplog)
    assert ["progress.json" in path for path in storage.asked] == [True]


async def test_what_is_no_answer_tells_no_url(
    storage: Scripted, running: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage.raw = b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"
    error = await fault_of(running)
    assert str(error).startswith("GetObject: ")
    assert not tells_secrets(error, caplog)


async def test_a_refusal_is_told_by_its_code_and_message_only(
    storage: Scripted, running: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage.status, storage.body = 400, REFUSAL.encode()
    error = await fault_of(running)
    assert str(error) == "GetObject: InvalidToken: It is malformed."
    assert error.failure is not None
    assert error.failure.code == "CREDENTIALS_INVALID"
    assert not tells_secrets(error, caplog)


async def test_a_file_that_is_too_large_is_not_read_to_its_end(storage: Scripted, running: Render) -> None:
    storage.body = b'{"x":"' + b"x" * MAX_BODY_BYTES + b'"}'
    storage.status = 200
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        observed = await backend.observe(running)  # the HEAD of its video is answered too
    assert isinstance(observed, Finished)
    storage.body = b'{"x":"' + b"x" * (MAX_BODY_BYTES - 8) + b'"}'
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        assert isinstance(await backend.observe(running), Progress)


async def test_a_worker_without_the_time_of_s3_goes_by_its_own(storage: Scripted, running: Render) -> None:
    clock = FastClock(1)
    now_ms = clock.now().timestamp() * 1000
    storage.body = json.dumps({"timeoutTimestamp": now_ms + 120_000}).encode()
    async with open_lambda_backend(DEPLOYMENT, clock=clock, check=False) as backend:
        for header in ([], [("Date", "yesterday")]):
            storage.headers = header
            assert isinstance(await backend.observe(running), Progress)
        clock.jump(TIMEOUT_S)
        assert isinstance(await backend.observe(running), Broken)


async def test_only_the_time_of_s3_ends_a_function(farm: Farm, launched: Launched) -> None:
    farm.function.play_next(Course.STITCHER_TIMES_OUT)
    farm.function.play_next(Course.LAUNCH_DIES)
    for off in (timedelta(hours=1), timedelta(hours=-1)):
        clock = FastClock(1)
        async with open_lambda_backend(farm.deployment, clock=clock, check=False) as backend:
            clock.jump(off.total_seconds())
            render = await begun(backend, launched())
            assert farm.function.renders[render.backend_render_id or ""].ended.wait(10)
            assert isinstance(await backend.observe(render), Progress)
            farm.clock.jump(2 * TIMEOUT_S)
            assert isinstance(await backend.observe(render), Broken)  # of a file that has not changed
    assert farm.storage.count("GET", status=304) == 2


@pytest.mark.parametrize("body", [b"", b"{", b'{"chunks":["x"]}'])
async def test_a_file_that_can_not_be_understood_hides_no_video(farm: Farm, launched: Launched, body: bytes) -> None:
    async with farm.open() as backend:
        render = await begun(backend, launched())
        finished = await until(backend, render, Finished)
        assert farm.function.renders[render.backend_render_id or ""].ended.wait(10)
        farm.bucket.put(BUCKET, f"renders/{render.backend_render_id}/progress.json", body)
        assert (await until(backend, render, Finished)).output == finished.output
        farm.bucket.delete(BUCKET, finished.output.key)
        with pytest.raises(BackendUnavailable, match="is corrupt") as unavailable:
            await backend.observe(render)
    assert unavailable.value.failure is None


@pytest.mark.parametrize("changes", [{"functionLaunched": "2026-11-22"}, {"cancellationEnabled": {"since": 1}}])
async def test_what_nobody_reads_may_be_anything(
    storage: Scripted, running: Render, changes: dict[str, object]
) -> None:
    storage.body = json.dumps({"framesRendered": 3, **changes}).encode()
    async with open_lambda_backend(DEPLOYMENT, clock=FastClock(1), check=False) as backend:
        assert isinstance(await backend.observe(running), Progress)
