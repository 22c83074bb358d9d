"""Credentials that end, are renewed, or can't be had. Without them nothing is sent, so nothing can be running."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.errors import BackendUnavailable, StartImpossible, StartRefused, StartupError
from services.models import Output, Render
from tests.services.backends.test_backend_contract import begun
from tests.support.lambda_renders import Course
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import LocalHandler, LocalServer, S3Fault, S3Server
from tests.support.server_process import free_port

FROM_BOTO3 = AwsAccess(region="us-east-1")
OUTPUT = Output(bucket=BUCKET, key="rendercast/none-1.mp4", size_bytes=1)
SOON = timedelta(minutes=5)  # so soon that boto3 renews with each use
SECOND = timedelta(seconds=1)

Launched = Callable[..., Render]
Give = Callable[[str, timedelta], datetime]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Set the key that boto3 finds, and when it ends; boto3 looks again when it renews."""

    def give(key_id: str, lasting: timedelta) -> datetime:
        expires_at = (datetime.now(UTC) + lasting).replace(microsecond=0)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", expires_at.isoformat())
        return expires_at

    return give


@pytest.mark.parametrize("check", [True, False])
async def test_a_session_that_is_over_stops_the_start(farm: Farm, give: Give, *, check: bool) -> None:
    give("KEY1", -SECOND)
    with pytest.raises(StartupError, match="REMOTION_AWS_ACCESS_KEY_ID"):
        async with farm.open(check=check, access=FROM_BOTO3):
            pass


async def test_nothing_is_sent_when_the_session_is_over(farm: Farm, give: Give, launched: Launched) -> None:
    give("KEY1", SOON)
    async with farm.open(access=FROM_BOTO3) as backend:
        give("KEY1", -SECOND)
        with pytest.raises(StartImpossible) as impossible:
            await backend.start(launched())
        assert impossible.value.failure.code == "CREDENTIALS_INVALID"
        for call in (backend.observe(launched()), backend.has_output(OUTPUT)):
            with pytest.raises(BackendUnavailable) as unavailable:
                await call
            assert unavailable.value.failure == impossible.value.failure
    assert farm.function.starts == []


async def test_a_url_ends_with_the_session_that_signed_it(farm: Farm, give: Give) -> None:
    session_ends = give("KEY1", SOON)
    async with farm.open(access=FROM_BOTO3) as backend:
        assert backend.sign(OUTPUT, expires_in=timedelta(hours=1)).expires_at == session_ends
        assert backend.sign(OUTPUT, expires_in=timedelta(minutes=1)).expires_at < session_ends
        session_ends = give("KEY2", timedelta(hours=6))
        before = backend.sign(OUTPUT, expires_in=timedelta(hours=12))
        await backend.has_output(OUTPUT)
        after = backend.sign(OUTPUT, expires_in=timedelta(hours=12))
    assert "KEY1" in before.url
    assert before.expires_at < session_ends
    assert "KEY2" in after.url
    assert after.expires_at == session_ends


async def test_a_poll_that_is_refused_is_signed_anew_with_newer_credentials(
    farm: Farm, give: Give, launched: Launched
) -> None:
    give("KEY1", SOON)
    farm.function.play_next(Course.CHUNK_HANGS)
    async with farm.open(access=FROM_BOTO3) as backend:
        render = await begun(backend, launched())
        await backend.observe(render)
        give("KEY2", SOON)
        farm.storage.fail(S3Fault.EXPIRED_TOKEN, times=1)
        with pytest.raises(BackendUnavailable):
            await backend.observe(render)
        await backend.observe(render)
    asked = [seen.path for seen in farm.storage.requests if "progress.json" in seen.path]
    assert ["KEY2" in path for path in asked] == [False, False, True]


async def test_renewing_goes_on_after_it_failed(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, give: Give, caplog: pytest.LogCaptureFixture
) -> None:
    give("KEY1", SOON)
    with running_farm(s3_server, monkeypatch, speed=600) as farm:
        async with farm.open(access=FROM_BOTO3) as backend, asyncio.timeout(10):
            give("KEY1", -SECOND)
            while caplog.text.count("REMOTION_AWS_ACCESS_KEY_ID") < 2:  # noqa: ASYNC110  # in the background
                await asyncio.sleep(0.01)
            give("KEY2", SOON)
            while "KEY2" not in backend.sign(OUTPUT, expires_in=SECOND).url:  # noqa: ASYNC110  # in the background
                await asyncio.sleep(0.01)


class TokenService:
    """AWS's service that lends the rights of a role. It answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"


class _Handler(LocalHandler):
    def do_POST(self) -> None:  # noqa: N802  # http.server looks for this name
        self.body()
        status = cast("TokenService", cast("LocalServer", self.server).owner).status
        expires = f"{datetime.now(UTC) + SOON:%Y-%m-%dT%H:%M:%SZ}"
        keys = "<AccessKeyId>KEY1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        lent = f"<Credentials>{keys}<Expiration>{expires}</Expiration></Credentials>"
        answer = f"<AssumeRoleResponse><AssumeRoleResult>{lent}</AssumeRoleResult></AssumeRoleResponse>"
        error = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        self.answer(status, [("Content-Type", "text/xml")], (answer if status == 200 else error).encode())


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TokenService]:
    """Let boto3 find a role, whose session it renews with each use."""
    config = tmp_path / "config"
    profiles = "[profile role]\nrole_arn=arn:aws:iam::123456789012:role/worker\nsource_profile=user\n"
    config.write_text(f"{profiles}[profile user]\naws_access_key_id=key\naws_secret_access_key=secret\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service = TokenService()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    server = LocalServer(service.port, _Handler, service)
    yield service
    server.stop()


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("check", [True, False])
async def test_a_role_that_can_not_be_had_stops_the_start(
    farm: Farm, role: TokenService, status: int, *, check: bool
) -> None:
    role.status = status
    with pytest.raises(StartupError, match="AssumeRole"):
        async with farm.open(check=check, access=FROM_BOTO3):
            pass


@pytest.mark.parametrize("status", [403, 503])
async def test_a_role_that_can_not_be_had_for_a_while_starts_nothing(
    farm: Farm, role: TokenService, launched: Launched, status: int
) -> None:
    async with farm.open(access=FROM_BOTO3) as backend:
        role.status = status
        with pytest.raises(StartRefused, match="AssumeRole"):
            await backend.start(launched())
        assert farm.function.starts == []
        role.status = 200
        await begun(backend, launched())
