import base64

import pytest

from services.errors import StartupError
from services.settings import WebhookSettings, load_settings
from services.webhooks.configuration import read_endpoint_config
from tests.support.webhook_receiver import KEY, SECRET

URL = "https://hooks.example.com/renders?key=hunter2"
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()


def settings(**values: object) -> WebhookSettings:
    return WebhookSettings(**values)  # type: ignore[arg-type]


def test_webhooks_are_off_by_default() -> None:
    assert read_endpoint_config(settings()) is None


def test_an_endpoint_has_a_url_and_one_or_more_secrets() -> None:
    config = read_endpoint_config(settings(webhook_url=URL, webhook_secret=f"{SECRET}  {OTHER}"))
    assert config is not None
    assert (config.url, config.secrets, config.is_encrypted) == (URL, (KEY, b"x" * 24), True)
    assert "hunter2" not in repr(config)
    assert repr(KEY) not in repr(config)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"webhook_url": URL}, "RENDERCAST_WEBHOOK_SECRET"),
        ({"webhook_secret": SECRET}, "RENDERCAST_WEBHOOK_URL"),
        ({"webhook_url": "http://hooks.example.com", "webhook_secret": SECRET}, "RENDERCAST_WEBHOOK_NETWORKS"),
        ({"webhook_url": URL, "webhook_secret": SECRET, "webhook_networks": "10.0.0.1/8"}, "WEBHOOK_NETWORKS"),
        ({"webhook_url": URL, "webhook_secret": SECRET, "webhook_networks": "home"}, "WEBHOOK_NETWORKS"),
    ],
)
def test_an_inconsistent_configuration_prevents_the_start(given: dict[str, str], named: str) -> None:
    with pytest.raises(StartupError, match=named) as error:
        read_endpoint_config(settings(**given))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "secret",
    [
        " ",
        "hunter2",
        "whsec_",
        "whsec_hunter2",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        f"{SECRET} hunter2",
    ],
)
def test_an_invalid_secret_prevents_the_start_and_is_not_shown(secret: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_WEBHOOK_SECRET must be whsec_") as error:
        read_endpoint_config(settings(webhook_url=URL, webhook_secret=secret))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("url", ["hooks.example.com", "ftp://x", "https://", "https://ann:hunter2@x/", "https://x/#a"])
def test_an_invalid_url_prevents_the_start_and_is_not_shown(url: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_WEBHOOK_URL") as error:
        load_settings(webhook_url=url)
    assert "hunter2" not in str(error.value)
