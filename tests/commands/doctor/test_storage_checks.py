"""`rendercast doctor` for the output bucket of renderers on this machine."""

import pytest

from commands.doctor.checks import diagnose
from commands.doctor.report import Result
from tests.commands.doctor.conftest import found
from tests.support.s3_server import FaultyS3, S3Fault, S3Server

BUCKET = "doctors-outputs"
CHECK = "output storage"


async def sentence() -> tuple[Result, str]:
    return next((each.result, each.sentence) for each in await diagnose(None) if each.check == CHECK)


@pytest.fixture
def variables(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    s3_server.make_bucket(BUCKET)
    given = {
        "BUCKET": BUCKET,
        "ENDPOINT": s3_server.url,
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": "secret",
        "PATH_STYLE": "yes",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"RENDERCAST_OUTPUT_{name}", value)
    return monkeypatch


@pytest.mark.usefixtures("variables")
async def test_a_bucket_that_can_be_used_is_reported_and_left_empty(s3_server: S3Server) -> None:
    result, words = await sentence()
    assert result is Result.OK
    assert words.startswith(f"Outputs can be stored in the bucket {BUCKET} at {s3_server.url}")
    assert s3_server.keys(BUCKET) == []


async def test_what_is_wrong_is_reported_with_the_setting(variables: pytest.MonkeyPatch, s3_server: S3Server) -> None:
    with FaultyS3(s3_server) as proxy:
        variables.setenv("RENDERCAST_OUTPUT_ENDPOINT", proxy.url)
        proxy.fail(S3Fault.ACCESS_DENIED, method="PUT")
        assert "grant s3:PutObject to the key RENDERCAST_OUTPUT_ACCESS_KEY_ID" in (await found())[CHECK]
    variables.setenv("RENDERCAST_OUTPUT_BUCKET", "nothing-here")
    variables.setenv("RENDERCAST_OUTPUT_ENDPOINT", s3_server.url)
    assert "correct RENDERCAST_OUTPUT_BUCKET" in (await found())[CHECK]
    variables.delenv("RENDERCAST_OUTPUT_BUCKET")
    assert "RENDERCAST_OUTPUT_BUCKET is not set" in (await found())[CHECK]


async def test_without_a_bucket_outputs_are_in_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await sentence() == (Result.SKIPPED, "Outputs are stored in the data folder.")
    monkeypatch.setenv("RENDERCAST_RENDERER", "lambda")
    assert (await found())[CHECK] == "SKIPPED"
