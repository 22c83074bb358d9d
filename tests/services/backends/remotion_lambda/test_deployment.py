"""The deployment that the settings of outputs and of Remotion's options describe."""

from pathlib import Path

import pytest

from services.backends.remotion_lambda.deployment import read_deployment
from services.backends.remotion_lambda.payloads import OutputProvider
from services.errors import StartupError
from services.settings import load_settings
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET

DEPLOYED: dict[str, object] = {
    "remotion_lambda_function_name": FUNCTION,
    "remotion_serve_url": f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/x/index.html",
}
OUTPUTS: dict[str, object] = {
    "remotion_output_endpoint": "https://account.r2.cloudflarestorage.com/",
    "remotion_output_bucket": "outputs",
    "remotion_output_access_key_id": "key\n",
    "remotion_output_secret_access_key": "secret\n",
}


def test_by_default_outputs_are_stored_in_remotions_bucket() -> None:
    deployment = read_deployment(load_settings(**DEPLOYED).remotion)
    assert (deployment.output_provider, deployment.output_bucket) == (None, BUCKET)
    assert (deployment.frames_per_lambda, deployment.concurrency, deployment.delete_after) == (None, None, None)


def test_outputs_may_be_stored_at_another_provider() -> None:
    settings = load_settings(**DEPLOYED, **OUTPUTS, remotion_output_region="auto", remotion_output_path_style=True)
    deployment = read_deployment(settings.remotion)
    assert (deployment.bucket, deployment.output_bucket) == (BUCKET, "outputs")
    assert deployment.output_provider == OutputProvider(
        endpoint="https://account.r2.cloudflarestorage.com",
        bucket="outputs",
        access_key_id="key",
        secret_access_key="secret",  # noqa: S106
        region="auto",
        path_style=True,
    )


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_setting_of_the_provider_that_is_missing_is_named(name: str) -> None:
    given = {other: value for other, value in OUTPUTS.items() if other != name}
    with pytest.raises(StartupError, match=f"{name.upper()} is not set"):
        read_deployment(load_settings(**DEPLOYED, **given).remotion)


def test_the_buckets_must_have_different_names() -> None:
    with pytest.raises(StartupError, match="give the bucket of outputs another name"):
        read_deployment(load_settings(**DEPLOYED, **OUTPUTS | {"remotion_output_bucket": BUCKET}).remotion)


def test_remotions_options_are_read() -> None:
    settings = load_settings(**DEPLOYED, remotion_concurrency=7, remotion_delete_after="7-days")
    target = read_deployment(settings.remotion).target
    assert (target.concurrency, target.frames_per_lambda, target.delete_after) == (7, None, "7-days")
    with pytest.raises(StartupError, match="exclude each other"):
        read_deployment(load_settings(**DEPLOYED, remotion_concurrency=7, remotion_frames_per_lambda=20).remotion)


@pytest.mark.parametrize("name", ["REMOTION_OUTPUT_ACCESS_KEY_ID", "REMOTION_OUTPUT_SECRET_ACCESS_KEY"])
def test_the_keys_of_the_provider_can_be_read_from_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "key"))
    settings = load_settings().remotion
    assert getattr(settings, name.lower()).get_secret_value() == "from a file"
