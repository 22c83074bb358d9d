"""The deployment that the settings of outputs and of Remotion's options describe."""

from pathlib import Path

import pytest

from services.backends.remotion_lambda.deployment import Deployment, read_deployment
from services.errors import StartupError
from services.settings import load_settings
from services.storage.s3_access import S3Access
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET

DEPLOYED: dict[str, object] = {
    "remotion_lambda_function_name": FUNCTION,
    "remotion_serve_url": f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/x/index.html",
}
OUTPUTS: dict[str, object] = {
    "output_endpoint": "https://account.r2.cloudflarestorage.com/",
    "output_bucket": "outputs",
    "output_access_key_id": "key\n",
    "output_secret_access_key": "secret\n",
}


def read(**settings: object) -> Deployment:
    loaded = load_settings(**settings)
    return read_deployment(loaded.remotion, loaded.outputs)


def test_by_default_outputs_are_stored_in_remotions_bucket() -> None:
    deployment = read(**DEPLOYED)
    assert (deployment.output_provider, deployment.output_bucket) == (None, BUCKET)
    assert (deployment.frames_per_lambda, deployment.concurrency, deployment.delete_after) == (None, None, None)


def test_outputs_may_be_stored_at_another_provider() -> None:
    deployment = read(**DEPLOYED, **OUTPUTS, output_region="auto", output_path_style=True)
    assert (deployment.bucket, deployment.output_bucket) == (BUCKET, "outputs")
    assert deployment.output_provider == S3Access(
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
    with pytest.raises(StartupError, match=f"RENDERCAST_{name.upper()} is not set"):
        read(**DEPLOYED, **given)


def test_the_buckets_must_have_different_names() -> None:
    with pytest.raises(StartupError, match="give the output bucket another name"):
        read(**DEPLOYED, **OUTPUTS | {"output_bucket": BUCKET})


def test_remotions_options_are_read() -> None:
    target = read(**DEPLOYED, remotion_concurrency=7, remotion_delete_after="7-days").target
    assert (target.concurrency, target.frames_per_lambda, target.delete_after) == (7, None, "7-days")
    with pytest.raises(StartupError, match="exclude each other"):
        read(**DEPLOYED, remotion_concurrency=7, remotion_frames_per_lambda=20)


@pytest.mark.parametrize("name", ["RENDERCAST_OUTPUT_ACCESS_KEY_ID", "RENDERCAST_OUTPUT_SECRET_ACCESS_KEY"])
def test_the_keys_of_the_provider_can_be_read_from_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "key"))
    settings = load_settings().outputs
    assert getattr(settings, name.removeprefix("RENDERCAST_").lower()).get_secret_value() == "from a file"
