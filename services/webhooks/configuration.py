"""Where webhooks go and how they are signed, as the settings say."""

import base64
import binascii
from dataclasses import dataclass, field

from services.errors import StartupError
from services.settings import Settings, variable
from services.webhooks.addresses import Network, read_networks

SECRET_PREFIX = "whsec_"  # noqa: S105  # of every secret, so of none
SECRET_BYTES = range(24, 65)  # Standard Webhooks 1.0.0, "Signature scheme"
URL, SECRET, NETWORKS = (variable(f"webhook_{name}") for name in ("url", "secret", "networks"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRules:
    """The receiver, the secrets it shares with us, and the networks beside the internet that it may be in.

    The URL may hold a secret of the receiver's too, so none of it but the host is logged or told.
    """

    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    networks: tuple[Network, ...]
    timeout_s: float

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read it."""
        return self.url.startswith("https:")


def read_endpoint(settings: Settings) -> EndpointRules | None:
    """Return where webhooks go; None if nowhere. Raises `StartupError`."""
    url, secret = settings.webhook_url, settings.webhook_secret
    if url is None and secret is None:
        return None
    if url is None or secret is None:
        given, missing = (URL, SECRET) if secret is None else (SECRET, URL)
        raise StartupError(f"{given} is set, but not {missing}: webhooks need both.")
    networks = _networks(settings.webhook_networks)
    if url.startswith("http:") and not networks:
        raise StartupError(f"{URL} is not https, which only networks of {NETWORKS} may do without.")
    return EndpointRules(
        url=url,
        secrets=tuple(_secret(word) for word in secret.get_secret_value().split() or [""]),
        networks=networks,
        timeout_s=settings.webhook_timeout_s,
    )


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return read_networks(text)
    except ValueError as error:
        raise StartupError(f"{NETWORKS} must have networks such as 10.1.0.0/16: {error}.") from None


def _secret(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not word.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise StartupError(
            f"{SECRET} must be {SECRET_PREFIX} and 24 to 64 random bytes in base64: "
            f'echo "{SECRET_PREFIX}$(openssl rand -base64 32)" makes one.'
        )
    return key
