"""The receiver of webhooks, over aiohttp. It gets a request and a few seconds, and is believed nothing.

Each connection's address is checked where its socket is made: whatever a name means by then, and for literal addresses
alike, what was checked is what is connected to. Of several addresses one that is silent or refused keeps nobody from
the others. Redirects are not followed and bodies of answers not read, no proxy is used and nothing is kept. Faults name
no part of the URL but the host.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.errors import StartupError
from services.settings import variable
from services.webhooks.addresses import is_admitted, is_public
from services.webhooks.configuration import EndpointRules

AGENT = "Rendercast (Standard Webhooks 1.0.0)"
LOOKUPS_AT_ONCE = 4


class EndpointError(Exception):  # named for what happened
    """The receiver didn't answer, or may not be asked; the message says why in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver answered."""

    status_code: int
    retry_after: str | None


class WebhookEndpoint:
    """The receiver. Open it with `open_endpoint`."""

    def __init__(
        self, http: aiohttp.ClientSession, resolver: AbstractResolver, rules: EndpointRules, *, url: URL
    ) -> None:
        self.rules = rules
        self.host = url.host or ""
        self._http = http
        self._resolver = resolver
        self._url = url

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request and return its answer, within the time limit. Raises `EndpointError`."""
        try:
            async with (
                asyncio.timeout(self.rules.timeout_s),
                self._http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return Answer(status_code=answer.status, retry_after=answer.headers.get("Retry-After"))
        except TimeoutError:
            raise EndpointError(f"no answer within {self.rules.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EndpointError(_words(error)) from None

    async def look_up(self) -> list[str]:
        """Return the addresses it has now, all of which may be called. Raises `EndpointError`."""
        try:
            addresses = [str(ip_address(self.host))]
        except ValueError:
            try:
                async with asyncio.timeout(self.rules.timeout_s):
                    found = await self._resolver.resolve(self.host, self._url.port or 0, socket.AF_UNSPEC)
            except (OSError, TimeoutError):
                raise EndpointError("its name can't be resolved") from None
            addresses = [each["host"] for each in found]
        for address in addresses:
            if refusal := refusal_of(address, self.rules):
                raise EndpointError(refusal)
        return addresses


class OwnThreads(AbstractResolver):
    """Asks the system for addresses in threads of its own: names that hang keep nobody else from theirs."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of the host. Raises `OSError`."""

        def ask() -> list[ResolveResult]:
            flags = socket.AI_ADDRCONFIG
            try:
                found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
            except UnicodeError as error:
                raise OSError("no name may be so long") from error
            return [
                ResolveResult(hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=0)
                for kind, _, proto, _, at in found
            ]

        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def open_endpoint(
    rules: EndpointRules, *, resolver: AbstractResolver | None = None
) -> AsyncIterator[WebhookEndpoint]:
    """Open the receiver; nothing is sent yet. Raises `StartupError` if its URL leads nowhere."""
    try:
        url = URL(rules.url)
    except ValueError:  # whose words hold the URL
        raise StartupError(f"{variable('webhook_url')} is not a URL: its host or port can't be.") from None
    resolver = resolver or OwnThreads()

    def make_socket(at: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = at
        if refusal := refusal_of(str(address[0]), rules):
            raise PermissionError(errno.EACCES, refusal)
        return socket.socket(family, kind, proto)

    connector = aiohttp.TCPConnector(
        resolver=resolver,
        socket_factory=make_socket,
        use_dns_cache=False,
        force_close=True,
        limit=0,  # whoever sends bounds that
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),  # `post` has one of its own for all of it
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": AGENT},
            trust_env=False,
        ) as http:
            yield WebhookEndpoint(http, resolver, rules, url=url)
    finally:
        await resolver.close()


def refusal_of(address: str, rules: EndpointRules) -> str | None:
    """Return why no webhook may be sent to the address; None if one may."""
    bare = address.partition("%")[0]
    if is_admitted(bare, networks=rules.networks, encrypted=rules.is_encrypted):
        return None
    why = "is public, which needs https" if is_public(bare) else f"is not in {variable('webhook_networks')}"
    return f"{bare} may not be called: it {why}"


def _words(error: Exception) -> str:
    """Return what is wrong; errors' own words may hold the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name can't be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not good: {error.certificate_error}"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS failed: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection ended before an answer"
        case _:
            return f"no answer that is understood ({type(error).__name__})"
