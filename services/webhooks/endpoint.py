"""The HTTP client that sends webhooks to the receiver, on aiohttp. The receiver is not trusted.

Each address is checked when its socket is created, so that the checked address is the one connected to, whatever the
name resolves to by then; literal addresses are checked too. If one of several addresses does not respond or refuses the
connection, the others are tried. Redirects are not followed, response bodies are not read, no proxy is used, and no
cookies or connections are kept. Error messages contain no part of the URL but the host.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.errors import StartupError
from services.settings import variable
from services.webhooks.addresses import is_allowed, is_public
from services.webhooks.configuration import EndpointConfig
from services.webhooks.ports import EndpointError, WebhookResponse

USER_AGENT = "Rendercast (Standard Webhooks 1.0.0)"
MAX_CONCURRENT_LOOKUPS = 4


class WebhookEndpoint:
    """An `Endpoint` at the configured URL. Open it with `open_endpoint`."""

    def __init__(
        self, http: aiohttp.ClientSession, resolver: AbstractResolver, config: EndpointConfig, *, url: URL
    ) -> None:
        self.config = config
        self.host = url.host or ""
        self._http = http
        self._resolver = resolver
        self._url = url

    async def post(self, body: bytes, headers: Mapping[str, str]) -> WebhookResponse:
        """Send a request and return the response, within the configured timeout. Raises `EndpointError`."""
        try:
            async with (
                asyncio.timeout(self.config.timeout_s),
                self._http.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return WebhookResponse(status_code=response.status, retry_after=response.headers.get("Retry-After"))
        except TimeoutError:
            raise EndpointError(f"no response within {self.config.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EndpointError(_describe(error)) from None

    async def resolve(self) -> list[str]:
        """Return the current addresses of the host. Raises `EndpointError` if one of them is not allowed."""
        try:
            addresses = [str(ip_address(self.host))]
        except ValueError:
            try:
                async with asyncio.timeout(self.config.timeout_s):
                    found = await self._resolver.resolve(self.host, self._url.port or 0, socket.AF_UNSPEC)
            except (OSError, TimeoutError):
                raise EndpointError("the host name can't be resolved") from None
            addresses = [each["host"] for each in found]
        for address in addresses:
            if reason := rejection_reason(address, self.config):
                raise EndpointError(reason)
        return addresses


class ThreadedResolver(AbstractResolver):
    """Resolves names with the system's resolver, in threads of its own, so that slow lookups block no other work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_LOOKUPS, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of the host. Raises `OSError`."""

        def lookup() -> list[ResolveResult]:
            flags = socket.AI_ADDRCONFIG
            try:
                found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
            except UnicodeError as error:
                raise OSError("the host name is invalid") from error
            return [
                ResolveResult(hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=0)
                for kind, _, proto, _, at in found
            ]

        return await asyncio.get_running_loop().run_in_executor(self._threads, lookup)

    async def close(self) -> None:
        """Cancel queued lookups, without waiting for those in progress."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def open_endpoint(
    config: EndpointConfig, *, resolver: AbstractResolver | None = None
) -> AsyncIterator[WebhookEndpoint]:
    """Open the client without sending anything. Raises `StartupError` if the URL is invalid."""
    try:
        url = URL(config.url)
    except ValueError:  # its message contains the URL
        raise StartupError(f"{variable('webhook_url')} is not a valid URL: check its host and port.") from None
    resolver = resolver or ThreadedResolver()

    def create_socket(at: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = at
        if reason := rejection_reason(str(address[0]), config):
            raise PermissionError(errno.EACCES, reason)
        return socket.socket(family, kind, proto)

    connector = aiohttp.TCPConnector(
        resolver=resolver,
        socket_factory=create_socket,
        use_dns_cache=False,
        force_close=True,
        limit=0,  # the deliverer limits concurrent requests
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),  # `post` sets a timeout over the whole request
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT},
            trust_env=False,
        ) as http:
            yield WebhookEndpoint(http, resolver, config, url=url)
    finally:
        await resolver.close()


def rejection_reason(address: str, config: EndpointConfig) -> str | None:
    """Return why no webhook may be sent to the address; None if it is allowed."""
    bare = address.partition("%")[0]
    if is_allowed(bare, networks=config.networks, encrypted=config.is_encrypted):
        return None
    reason = "is public, which needs https" if is_public(bare) else f"is not in {variable('webhook_networks')}"
    return f"{bare} is not allowed: it {reason}"


def _describe(error: Exception) -> str:
    """Return a description of the error without its own message, which may contain the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the host name can't be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate is invalid: {error.certificate_error}"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS failed: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was closed before a response"
        case _:
            return f"invalid response ({type(error).__name__})"
