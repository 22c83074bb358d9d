"""The output bucket that the settings describe, and the hosts of its URLs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.errors import StartupError
from services.settings import load_settings
from services.storage.aws_errors import AwsError
from services.storage.s3_access import S3Access, read_s3_access
from services.storage.s3_bucket import OutputBucket

GIVEN = {"output_bucket": "videos", "output_access_key_id": "key\n", "output_secret_access_key": "secret\n"}
ON_AWS = S3Access(
    endpoint=None,
    bucket="videos",
    region="eu-central-1",
    access_key_id="key",
    secret_access_key="secret",  # noqa: S106
    path_style=False,
)


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def read(**settings: object) -> S3Access | None:
    return read_s3_access(load_settings(**settings).outputs)


def test_without_a_bucket_there_is_no_access() -> None:
    assert read() is None


def test_a_bucket_is_on_aws_unless_another_endpoint_is_given() -> None:
    assert read(**GIVEN) == replace(ON_AWS, region=None)
    endpoint = "https://minio.example"
    given = read(**GIVEN, output_endpoint=endpoint, output_path_style=True)
    assert given == replace(ON_AWS, endpoint=endpoint, region="us-east-1", path_style=True)
    assert "secret" not in repr(given)


@pytest.mark.parametrize("missing", ["output_bucket", "output_access_key_id", "output_secret_access_key"])
def test_a_missing_setting_is_named(missing: str) -> None:
    with pytest.raises(StartupError, match=f"RENDERCAST_{missing.upper()} is not set"):
        read(**{name: value for name, value in GIVEN.items() if name != missing})


@pytest.mark.slow  # clients of boto3
def test_urls_have_the_host_of_the_bucket_and_its_region() -> None:
    bucket = OutputBucket(ON_AWS)
    signed = bucket.presign_url("videos", "a.mp4", now=datetime.now(UTC), expires_in=timedelta(hours=1))
    assert signed.url.startswith("https://videos.s3.eu-central-1.amazonaws.com/a.mp4?")
    bucket._require_region("videos", "eu-central-1")
    with pytest.raises(AwsError) as elsewhere:
        bucket._require_region("videos", "us-west-2")
    assert elsewhere.value.remedy is not None
    assert "set RENDERCAST_OUTPUT_REGION to us-west-2" in elsewhere.value.remedy.sentence
    bucket.close()


@pytest.mark.slow  # the same
def test_without_any_credentials_the_settings_are_named() -> None:
    with pytest.raises(StartupError, match="set RENDERCAST_OUTPUT_ACCESS_KEY_ID and"):
        OutputBucket(replace(ON_AWS, region=None, access_key_id=None, secret_access_key=None))
