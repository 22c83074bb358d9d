"""The configuration of the webhook endpoint: URL, signing secrets and allowed networks."""

import base64
import binascii
from dataclasses import dataclass, field

from services.errors import StartupError
from services.settings import WebhookSettings, variable
from services.webhooks.addresses import Network, parse_networks

SECRET_PREFIX = "whsec_"  # noqa: S105  # the prefix of every secret
SECRET_LENGTHS_BYTES = range(24, 65)  # Standard Webhooks 1.0.0, "Signature scheme"
URL, SECRET, NETWORKS = (variable(f"webhook_{name}") for name in ("url", "secret", "networks"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """The receiver's URL, the secrets that sign requests, and the private networks that the receiver may be in.

    The URL may contain a secret of the receiver, so only its host may be logged or shown.
    """

    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    networks: tuple[Network, ...]
    timeout_s: float

    @property
    def is_encrypted(self) -> bool:
        """Whether requests are sent over TLS."""
        return self.url.startswith("https:")


def read_endpoint_config(settings: WebhookSettings) -> EndpointConfig | None:
    """Return the endpoint; None if webhooks are not configured. Raises `StartupError`."""
    url, secret = settings.webhook_url, settings.webhook_secret
    if url is None and secret is None:
        return None
    if url is None or secret is None:
        given, missing = (URL, SECRET) if secret is None else (SECRET, URL)
        raise StartupError(f"{given} is set, but {missing} is not: webhooks need both.")
    networks = _parse_networks(settings.webhook_networks)
    if url.startswith("http:") and not networks:
        raise StartupError(f"{URL} must start with https://, unless {NETWORKS} contains the network of the receiver.")
    return EndpointConfig(
        url=url,
        secrets=tuple(_decode_secret(word) for word in secret.get_secret_value().split() or [""]),
        networks=networks,
        timeout_s=settings.webhook_timeout_s,
    )


def _parse_networks(text: str) -> tuple[Network, ...]:
    try:
        return parse_networks(text)
    except ValueError as error:
        raise StartupError(f"{NETWORKS} must be a list of networks such as 10.1.0.0/16: {error}.") from None


def _decode_secret(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not word.startswith(SECRET_PREFIX) or len(key) not in SECRET_LENGTHS_BYTES:
        raise StartupError(
            f"{SECRET} must be {SECRET_PREFIX} followed by 24 to 64 random bytes in base64. "
            f'echo "{SECRET_PREFIX}$(openssl rand -base64 32)" generates one.'
        )
    return key
