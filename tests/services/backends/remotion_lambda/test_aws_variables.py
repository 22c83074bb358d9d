"""Variables of the AWS SDKs that can't be used prevent the start with a sentence, and all parts use the same ones."""

from pathlib import Path

import pytest

from services.backends.remotion_lambda.aws import AwsAccess, open_aws
from services.backends.remotion_lambda.polling import open_http
from services.errors import StartupError
from tests.support.certificates import Authority

ACCESS = AwsAccess(region="us-east-1", access_key_id="key", secret_access_key="secret")  # noqa: S106
CERTIFICATE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of settings that boto3 reads; no variable names certificates or an endpoint."""
    for name in (*CERTIFICATE_VARIABLES, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LAMBDA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    return tmp_path / "aws-config"


async def trusted_authorities() -> int:
    async with open_http("https://x.s3.us-east-1.amazonaws.com/") as http:
        context = http.connector._ssl  # type: ignore[union-attr]
        return len(context.get_ca_certs())


@pytest.mark.parametrize("variable", CERTIFICATE_VARIABLES)
@pytest.mark.parametrize("name", ["missing", "", "text"])
async def test_certificates_that_can_not_be_loaded_are_one_sentence(
    variable: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no certificate")
    monkeypatch.setenv(variable, str(tmp_path / name))
    with pytest.raises(StartupError, match=r"^The CA certificates of AWS can't be loaded from .* AWS_CA_BUNDLE"):
        await trusted_authorities()


async def test_progress_is_read_with_the_certificates_that_boto3_uses(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await trusted_authorities() > 1
    for variable in CERTIFICATE_VARIABLES:
        with monkeypatch.context() as changed:
            changed.setenv(variable, str(authority.certificate))
            assert await trusted_authorities() == 1


async def test_the_profile_can_name_the_certificates(authority: Authority, config: Path) -> None:
    config.write_text(f"[default]\nca_bundle = {authority.certificate}\n")  # noqa: ASYNC240  # it is short
    assert await trusted_authorities() == 1


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LAMBDA"])
@pytest.mark.parametrize("url", ["s3.example.com", "http://[::1"])
async def test_an_endpoint_that_is_no_url_is_one_sentence(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(StartupError, match=r"^AWS can't be used: .*AWS_ENDPOINT_URL"):
        async with open_aws(ACCESS):
            pass
