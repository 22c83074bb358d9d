"""The configured region: where it is read from, and whether it exists and is that of the function and the bucket."""

import logging
from pathlib import Path

import pytest

from services.backends.remotion_lambda.deployment import check_settings, read_deployment
from services.backends.remotion_lambda.regions import known_regions, may_be_new, read_region
from services.errors import StartupError
from services.runtime.adapters import open_embedded, open_production
from services.settings import default_settings, load_settings
from tests.support.lambda_server import FUNCTION

NO_OUTPUTS = default_settings().outputs
BUCKET_URL = "https://remotionlambda-eucentral1-abcdefghij.s3.eu-central-1.amazonaws.com/sites/x/index.html"


@pytest.fixture(autouse=True)
def _no_aws_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "REMOTION_AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))


def test_the_region_is_that_of_the_settings_or_of_the_aws_sdks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_region(None).name == "us-east-1"
    (tmp_path / "aws-config").write_text("[default]\nregion = eu-north-1\n")
    assert read_region(None).name == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert read_region(None).name == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "ap-east-1")
    assert read_region(None).name == "ap-east-1"
    assert read_region(" cn-north-1\n").name == "cn-north-1"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("us-esat-1", "us-east-1"),
        ("us-east-9", "us-east-1"),
        ("eu-centrall-1", "eu-central-1"),
        ("eu_central_1", "eu-central-1"),
        ("EU-CENTRAL-1", "eu-central-1"),
        ("us-east-1a", "us-east-1"),
        ("us-east-1.example.com/", "us-east-1"),
        ("us-east-0", "us-east-1"),
        ("mars-north-1", "eu-north-1"),
        ("Frankfurt", "us-east-1"),
        ("x\ny", "us-east-1"),
    ],
)
def test_a_region_that_does_not_exist_is_rejected_with_the_nearest_names(name: str, nearest: str) -> None:
    with pytest.raises(StartupError) as rejected:
        read_region(name)
    sentence = str(rejected.value)
    assert sentence.startswith(f"REMOTION_AWS_REGION is {name!r}, which is not an AWS region; the nearest names are ")
    assert nearest in sentence
    assert "\n" not in sentence


def test_the_sentence_names_the_variable_that_has_the_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "aws-config").write_text("[default]\nregion = moon\n")
    with pytest.raises(StartupError, match=r"^The region of the AWS profile is 'moon'"):
        read_region(None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "moon-1")
    with pytest.raises(StartupError, match=r"^AWS_DEFAULT_REGION is 'moon-1'"):
        read_region(None)
    monkeypatch.setenv("AWS_REGION", "moon-2")
    with pytest.raises(StartupError, match=r"^AWS_REGION is 'moon-2'"):
        read_region("")


def test_a_profile_that_does_not_exist_prevents_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(StartupError, match="missing"):
        read_region(None)


@pytest.mark.parametrize("name", ["ap-southeast-8", "ap-southeast-9", "sa-west-1", "eu-north-2", "us-gov-east-2"])
def test_a_region_that_is_newer_than_boto3_is_used_with_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(remotion_aws_region=name).remotion
    check_settings(settings, NO_OUTPUTS, with_worker=False)
    assert read_region(name).name == name
    assert f"REMOTION_AWS_REGION is {name}, which this version of boto3 does not know" in caplog.text


def test_a_known_region_causes_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    for region in ("us-east-1", "cn-north-1"):
        check_settings(load_settings(remotion_aws_region=region).remotion, NO_OUTPUTS, with_worker=False)
    assert caplog.records == []


@pytest.mark.parametrize(
    "name", ["", "us", "us-east", "us-1", "-east-1", "us--east-1", "us-east-10", "use1-az1", "us-east-\u0661"]
)
def test_what_does_not_look_like_a_new_region(name: str) -> None:
    assert not may_be_new(name, known_regions())


WRONG = [("us-esat-1", False), ("us-esat-1", True), ("us-east-1", True)]


@pytest.mark.parametrize(("region", "with_worker"), WRONG)
async def test_a_wrong_region_prevents_the_start_before_anything_is_opened(
    tmp_path: Path, region: str, *, with_worker: bool
) -> None:
    unreachable = {"mongodb_url": "mongodb://127.0.0.1:1", "redis_url": "redis://127.0.0.1:1"}
    remotion = {"remotion_lambda_function_name": FUNCTION, "remotion_serve_url": BUCKET_URL}
    settings = load_settings(
        data_dir=tmp_path / "data", renderer="lambda", remotion_aws_region=region, **unreachable, **remotion
    )
    for opening in (open_embedded(settings), open_production(settings, with_worker=with_worker)):
        with pytest.raises(StartupError, match=region):
            async with opening:
                pass
    assert not (tmp_path / "data").exists()


def deployment_region(**values: object) -> str:
    given = {"remotion_lambda_function_name": FUNCTION, "remotion_serve_url": BUCKET_URL, **values}
    return read_deployment(load_settings(**given).remotion, NO_OUTPUTS).access.region


def test_a_bucket_in_another_region_is_rejected() -> None:
    with pytest.raises(StartupError) as rejected:
        deployment_region()
    assert str(rejected.value) == (
        "REMOTION_SERVE_URL is in the region eu-central-1, but the default region is us-east-1: set "
        "REMOTION_AWS_REGION to eu-central-1, or correct REMOTION_SERVE_URL."
    )
    assert deployment_region(remotion_aws_region="eu-central-1") == "eu-central-1"


@pytest.mark.parametrize(
    "host",
    [
        "remotionlambda-x.s3-eu-central-1.amazonaws.com",
        "remotionlambda-x.s3.dualstack.eu-central-1.amazonaws.com",
        "s3.eu-central-1.amazonaws.com/remotionlambda-x",
        "REMOTIONLAMBDA-X.s3.EU-CENTRAL-1.amazonaws.com",
    ],
)
def test_the_region_of_a_site_is_read_from_every_form_of_its_host(host: str) -> None:
    url = f"https://{host}/sites/x/index.html"
    with pytest.raises(StartupError, match="eu-central-1"):
        deployment_region(remotion_serve_url=url, remotion_aws_region="cn-north-1", remotion_bucket_name=None)


def test_a_function_in_another_region_is_rejected() -> None:
    arn = f"arn:aws:lambda:ap-east-1:123456789012:function:{FUNCTION}"
    with pytest.raises(StartupError, match="REMOTION_LAMBDA_FUNCTION_NAME is in the region ap-east-1"):
        deployment_region(remotion_lambda_function_name=arn, remotion_aws_region="eu-central-1")


@pytest.mark.parametrize(
    "url", ["https://site.example/index.html", "https://remotionlambda-x.s3.amazonaws.com/sites/x/index.html"]
)
def test_a_host_without_a_region_may_be_anywhere(url: str) -> None:
    assert deployment_region(remotion_serve_url=url, remotion_bucket_name="remotionlambda-x") == "us-east-1"


def test_a_site_in_another_region_than_the_bucket_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    given = {"remotion_lambda_function_name": FUNCTION, "remotion_serve_url": BUCKET_URL}
    with caplog.at_level(logging.WARNING):
        check_settings(load_settings(**given, remotion_bucket_name="videos").remotion, NO_OUTPUTS, with_worker=True)
    assert "REMOTION_SERVE_URL is in the region eu-central-1, the function in us-east-1" in caplog.text
