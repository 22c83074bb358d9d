"""Checks of values that are texts. Each raises `ValueError` with the predicate of a sentence about the setting."""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
PUBLIC_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
OWN_PATHS = frozenset({"assets", "files", "graphql"})  # a proxy that removes the public path would make them ambiguous
DEFAULT_PORTS = {"http": 80, "https": 443}
TENANT = "{tenantid}"  # stands for a tenant's id, as in the issuer that Microsoft Entra publishes for all tenants


def check_host(host: str) -> str:
    """Return an IP address, without brackets, or a host name that a server can listen on."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "%" in bare:
        raise ValueError(f"has a zone, which URLs can't contain: {host!r}; use :: to listen on all addresses")
    if not _is_address(bare) and not (HOST_NAME.fullmatch(host) and bare == host):
        raise ValueError(f"is not an IP address or a host name: {host!r}; it has no scheme and no port")
    return bare


def check_base_url(url: str) -> str:
    """Return an http or https URL of scheme, host and port, without a final slash."""
    parts = _split_url(url)
    if "@" in parts.netloc:
        raise ValueError("contains a user name or a password: remove it")
    extra = url.partition(parts.netloc)[2]
    if extra not in ("", "/"):
        raise ValueError(f"has {extra!r} after the host and port: remove that")
    return url.removesuffix("/")


def check_public_url(url: str) -> str:
    """Return an http or https URL of an origin as browsers write it, and optionally a path, without a final slash."""
    parts = _split_url(url)
    if "@" in parts.netloc:
        raise ValueError("contains a user name or a password: remove it")
    if "?" in url or "#" in url:
        raise ValueError("has a query or a fragment: remove the ? or # and what follows")
    if not PUBLIC_PATH.fullmatch(path := parts.path.rstrip("/")):
        raise ValueError(f"has the path {path!r}: use names of letters, digits, -, _, ~ and ., with / between them")
    if not OWN_PATHS.isdisjoint(path.split("/")[1:2]):
        raise ValueError(f"has the path {path!r}, which is one below this server's URL: remove it, or use another name")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{path}"


def check_issuer(url: str) -> str:
    """Return an http or https URL without a query and a fragment. One part of its path may be `TENANT`."""
    host = _split_url(url).netloc
    if "?" in url or "#" in url:
        raise ValueError("has a query or a fragment: remove the ? or # and what follows")
    parts = url.split("/")
    if "{" in host or any("{" in part or "}" in part for part in parts if part != TENANT) or parts.count(TENANT) > 1:
        raise ValueError(f"may have {TENANT} as one part of its path, but no other braces: {url!r}")
    return url


def check_issuers(text: str) -> str:
    """Return a list of issuers, separated by commas, with at least one item."""
    if not items(text):
        raise ValueError("has no item")
    for item in items(text):
        check_issuer(item)
    return text


def check_url(url: str) -> str:
    """Return an http or https URL."""
    _split_url(url)
    return url


def check_webhook_url(url: str) -> str:
    """Return an http or https URL without user, password and fragment. Messages don't show it: it may be secret."""
    parts = _split_url(url, show=False)
    if "@" in parts.netloc:
        raise ValueError("contains a user name or a password: remove it")
    if "#" in url:
        raise ValueError("has a fragment: remove the # and what follows")
    return url


def check_proxies(text: str) -> str:
    """Return a list of IP addresses and networks, separated by commas, or `none` or `*`."""
    found = items(text)
    for item in found:
        if item in ("none", "*"):
            if len(found) > 1:
                raise ValueError(f"has {item!r} beside other items: {text!r}")
            continue
        try:
            ip_network(item)
        except ValueError as error:
            raise ValueError(f"has the item {item!r}, which is not an IP address or a network: {error}") from None
    return ",".join(found)


def check_choices(text: str, choices: Iterable[str]) -> str:
    """Return a list of words that are in `choices`, separated by commas without spaces."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in choices:
            raise ValueError(f"has the item {word!r}, which is not one of {', '.join(choices)}")
    return ",".join(words)


def check_scope(scope: str) -> str:
    """Return a scope: characters of a scope-token of RFC 6749, section 3.3."""
    for character in scope:
        if not "!" <= character <= "~" or character in '"\\':
            raise ValueError(f"contains {character!r}, which one scope can't contain")
    return scope


def expand_home(path: str) -> str:
    """Return the path with a home folder in place of a leading `~` or `~user`. The error does not show the path."""
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError("starts with ~, but that home folder is not known: write the whole path") from None


def items(text: str) -> list[str]:
    """Return the items of a list that is separated by commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def _split_url(url: str, *, show: bool = True) -> SplitResult:
    shown = f": {url!r}" if show and "@" not in url else ""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError(f"contains white space{shown}")
    if not url.startswith(tuple(f"{scheme}://" for scheme in DEFAULT_PORTS)):
        raise ValueError(f"must start with http:// or https://{shown}")
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            parts.hostname.encode("idna")  # what a lookup does; it raises a ValueError for an empty or a long label
            return parts
    except ValueError:
        pass
    raise ValueError(f"has no valid host and port{shown}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
