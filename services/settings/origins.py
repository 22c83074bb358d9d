"""Origins of pages that may call the server: checks of the setting, and matching."""

import re
from collections.abc import Iterable

from services.loopback import is_loopback
from services.settings.values import items

PARTS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\[\]\s]+)(:(?P<port>[0-9]+|\*))?", re.ASCII
)
DEFAULT_PORTS = {"http": "80", "https": "443"}
MAX_PORT = 65_535
ANY_PORT = "*"
ANY_PORT_PATTERN = "(:[0-9]+)?"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
LOOPBACK_ORIGINS = ",".join(f"{scheme}://{host}:{ANY_PORT}" for scheme in DEFAULT_PORTS for host in LOOPBACK_HOSTS)
LABEL = "*"
LABEL_PATTERN = "[a-z0-9_-]+"
MIN_LABELS_BESIDE = 2  # of a host with a `*`: one label may be a whole public suffix
EXAMPLE = "such as https://app.example"


def check_origins(text: str) -> str:
    """Return a list of origins, separated by commas, as browsers write them: in lower case, without final slash.

    One label of a host may be `*`, and so may the port of a loopback host. Raises `ValueError` with the predicate of a
    sentence that names the faulty item.
    """
    return ",".join(_check_origin(item) for item in items(text))


def origin_pattern(origins: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches exactly the origins of a list that was checked.

    A `*` matches one label, or as a port every port.
    """
    return re.compile("|".join(map(_pattern, origins)) or "(?!)")


def _pattern(origin: str) -> str:
    address = origin.removesuffix(f":{ANY_PORT}")
    pattern = re.escape(address).replace(re.escape(LABEL), LABEL_PATTERN)
    return pattern if address == origin else pattern + ANY_PORT_PATTERN


def _check_origin(item: str) -> str:
    if item == LABEL:
        raise ValueError("has the item '*', which would allow the pages of all sites: name the origins")
    origin = item.lower().removesuffix("/")
    parts = PARTS.match(origin)
    if "@" in item:
        raise ValueError("has an item with a user name or a password: remove it")
    if parts is None:
        raise ValueError(f"has the item {item!r}: an origin is a scheme, :// and a host, {EXAMPLE}")
    scheme, host, port = parts["scheme"], parts["host"], parts["port"]
    if rest := origin[parts.end() :]:
        raise ValueError(f"has the item {item!r}: remove {rest!r}, since an origin ends with the host or port")
    if not (host.isascii() and host.isprintable()):
        raise ValueError(f"has the item {item!r}: write its host in ASCII, as browsers do ({_ascii_host(host)!r})")
    if port == ANY_PORT and not is_loopback(host.strip("[]")):
        raise ValueError(f"has the item {item!r}: the port can be a * only after localhost or a loopback address")
    if port not in (None, ANY_PORT) and not 0 < int(port) <= MAX_PORT:
        raise ValueError(f"has the item {item!r}: {port} is not a port")
    _check_wildcard(item, host.split("."))
    return f"{scheme}://{host}" if port in (None, DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def _check_wildcard(item: str, labels: list[str]) -> None:
    wild = [index for index, label in enumerate(labels) if LABEL in label]
    if wild and not (len(wild) == 1 and labels[wild[0]] == LABEL and wild[0] < len(labels) - MIN_LABELS_BESIDE):
        raise ValueError(
            f"has the item {item!r}: a * stands for one whole label of a host, before at least two others, as in "
            "https://*.app.example"
        )


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return "xn--…"
