"""Credentials that expire, are renewed, or are unavailable. Without them nothing is sent, so nothing can be running."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from services.backends.remotion_lambda.aws import AwsAccess
from services.errors import BackendUnavailable, StartImpossible, StartRejected, StartupError
from services.models import Output, Render
from tests.services.backends.test_backend_contract import start_attempt
from tests.support.certificates import Authority
from tests.support.lambda_scenarios import Scenario
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import S3Fault, S3Server
from tests.support.server_process import free_port
from tests.support.waiting import wait_until

FROM_BOTO3 = AwsAccess(region="us-east-1")
OUTPUT = Output(bucket=BUCKET, key="rendercast/none-1.mp4", size_bytes=1)
SOON = timedelta(minutes=5)  # boto3 renews credentials with such an expiry at each use
SECOND = timedelta(seconds=1)

Launched = Callable[..., Render]
SetCredentials = Callable[[str, timedelta], datetime]


@pytest.fixture
def set_credentials(monkeypatch: pytest.MonkeyPatch) -> SetCredentials:
    """Set the key that boto3 finds, and its expiry; boto3 reads it again when it renews."""

    def set_credentials(key_id: str, lasting: timedelta) -> datetime:
        expires_at = (datetime.now(UTC) + lasting).replace(microsecond=0)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", expires_at.isoformat())
        return expires_at

    return set_credentials


@pytest.mark.parametrize("check", [True, False])
async def test_an_expired_session_prevents_the_start(
    farm: Farm, set_credentials: SetCredentials, *, check: bool
) -> None:
    set_credentials("KEY1", -SECOND)
    with pytest.raises(StartupError, match="REMOTION_AWS_ACCESS_KEY_ID"):
        async with farm.open(check=check, access=FROM_BOTO3):
            pass


async def test_nothing_is_sent_with_an_expired_session(
    farm: Farm, set_credentials: SetCredentials, launched: Launched
) -> None:
    set_credentials("KEY1", SOON)
    async with farm.open(access=FROM_BOTO3) as backend:
        set_credentials("KEY1", -SECOND)
        with pytest.raises(StartImpossible) as impossible:
            await backend.start(launched())
        assert impossible.value.failure.code == "CREDENTIALS_INVALID"
        for call in (backend.observe(launched()), backend.has_output(OUTPUT)):
            with pytest.raises(BackendUnavailable) as unavailable:
                await call
            assert unavailable.value.failure == impossible.value.failure
    assert farm.function.starts == []


async def test_a_url_expires_with_the_session_that_signed_it(farm: Farm, set_credentials: SetCredentials) -> None:
    session_ends = set_credentials("KEY1", SOON)
    async with farm.open(access=FROM_BOTO3) as backend:
        assert backend.sign(OUTPUT, expires_in=timedelta(hours=1)).expires_at == session_ends
        assert backend.sign(OUTPUT, expires_in=timedelta(minutes=1)).expires_at < session_ends
        session_ends = set_credentials("KEY2", timedelta(hours=6))
        before = backend.sign(OUTPUT, expires_in=timedelta(hours=12))
        await backend.has_output(OUTPUT)
        after = backend.sign(OUTPUT, expires_in=timedelta(hours=12))
    assert "KEY1" in before.url
    assert before.expires_at < session_ends
    assert "KEY2" in after.url
    assert after.expires_at == session_ends


async def test_a_rejected_poll_is_signed_again_with_newer_credentials(
    farm: Farm, set_credentials: SetCredentials, launched: Launched
) -> None:
    set_credentials("KEY1", SOON)
    farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    async with farm.open(access=FROM_BOTO3) as backend:
        render = await start_attempt(backend, launched())
        await backend.observe(render)
        set_credentials("KEY2", SOON)
        farm.storage.fail(S3Fault.EXPIRED_TOKEN, times=1)
        with pytest.raises(BackendUnavailable):
            await backend.observe(render)
        await backend.observe(render)
    polls = [seen.path for seen in farm.storage.requests if "progress.json" in seen.path]
    assert ["KEY2" in path for path in polls] == [False, False, True]


async def test_renewal_continues_after_an_error(
    s3_server: S3Server,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    set_credentials: SetCredentials,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_credentials("KEY1", SOON)
    with running_farm(s3_server, authority, monkeypatch, speed=600) as farm:
        async with farm.open(access=FROM_BOTO3) as backend:  # which renews them in the background
            set_credentials("KEY1", -SECOND)
            await wait_until(lambda: caplog.text.count("REMOTION_AWS_ACCESS_KEY_ID") >= 2)
            set_credentials("KEY2", SOON)
            await wait_until(lambda: "KEY2" in backend.sign(OUTPUT, expires_in=SECOND).url)


class TokenService:
    """AWS STS, which returns temporary credentials of a role. It responds with `status`."""

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
        credentials = f"<Credentials>{keys}<Expiration>{expires}</Expiration></Credentials>"
        role = f"<AssumeRoleResponse><AssumeRoleResult>{credentials}</AssumeRoleResult></AssumeRoleResponse>"
        error = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        self.respond(status, [("Content-Type", "text/xml")], (role if status == 200 else error).encode())


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TokenService]:
    """Configure a role for boto3, whose session it renews with each use."""
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
async def test_a_role_that_can_not_be_assumed_prevents_the_start(
    farm: Farm, role: TokenService, status: int, *, check: bool
) -> None:
    role.status = status
    with pytest.raises(StartupError, match="AssumeRole"):
        async with farm.open(check=check, access=FROM_BOTO3):
            pass


@pytest.mark.parametrize("status", [403, 503])
async def test_a_role_that_temporarily_can_not_be_assumed_starts_nothing(
    farm: Farm, role: TokenService, launched: Launched, status: int
) -> None:
    async with farm.open(access=FROM_BOTO3) as backend:
        role.status = status
        with pytest.raises(StartRejected, match="AssumeRole"):
            await backend.start(launched())
        assert farm.function.starts == []
        role.status = 200
        await start_attempt(backend, launched())
