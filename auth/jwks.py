"""The keys of an issuer: its JSON Web Key Set (JWKS, RFC 7517), cached and refreshed in the background."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
import jwt
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from auth.rules import TokenRules
from services.background.supervision import supervise
from services.clock import SystemClock
from services.errors import IssuerUnavailable
from services.ports import Clock
from services.settings.values import TENANT

DISCOVERY_PATH = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
REFRESH_INTERVAL_S = 300.0
RETRY_INTERVAL_S = 30.0  # after a refresh that failed
MIN_REFRESH_INTERVAL_S = 2.0  # however many unknown keys are requested; a request for one waits for the next refresh
TIMEOUT_S = 5.0  # of a refresh
MAX_WAITING = 50  # requests for unknown keys, which any client can cause
ALL_TENANTS = "common"  # Microsoft Entra's name for all tenants in URLs
MAX_RESPONSE_BYTES = 256 * 1024
MAX_KEYS = 100

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}  # RFC 7518, 3.4; RFC 8037, 3.1

KeySet = Mapping[tuple[str | None, str], jwt.PyJWK]  # by key id and algorithm

log = logging.getLogger(__name__)


class JwksError(Exception):
    """The issuer's keys could not be read. The message is the reason."""


class OpenIdConfiguration(BaseModel):
    """The members of an issuer's OpenID configuration that we need."""

    issuer: str
    jwks_uri: str


class JwkSet(BaseModel):
    """A published JWKS. Some of its keys may be for other uses than signatures."""

    keys: list[dict[str, object]] = Field(max_length=MAX_KEYS)


class JwksCache:
    """The issuer's keys as last read. `run` must be running to fill the cache.

    Keys are refreshed every `REFRESH_INTERVAL_S`, and when an unknown key is requested, but at most once in
    `min_interval_s`, so that tokens with invented key ids can't flood the issuer with requests. Whether the issuer has
    an unknown key is only known after a refresh that starts later than the request. While the issuer is unavailable,
    the last keys stay in use.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[KeySet]],
        clock: Clock,
        *,
        min_interval_s: float = MIN_REFRESH_INTERVAL_S,
    ) -> None:
        self._read = read
        self._clock = clock
        self._min_interval_s = min_interval_s
        self._keys: KeySet | None = None
        self._waiting = 0
        self._refresh_requested = asyncio.Event()
        self._running_refresh: _Refresh | None = None
        self._next_refresh: _Refresh | None = None

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key if it was published at the last refresh.

        Without a key id, the key must be the only one for its algorithm.
        """
        keys = self._keys or {}
        if key_id is not None:
            return keys.get((key_id, algorithm))
        candidates = [key for (_, key_algorithm), key in keys.items() if key_algorithm == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, after the next refresh if it isn't known; None if the issuer doesn't have it.

        Raises `IssuerUnavailable` if that refresh fails or takes too long, or if too many requests wait for it.
        """
        key = self.known_key(key_id, algorithm)
        if key is None and self._running_refresh is not None:  # it may have started before the key was published
            await self._wait_for(self._running_refresh)
            key = self.known_key(key_id, algorithm)
        if key is None:
            self._next_refresh = self._next_refresh or _Refresh()
            self._refresh_requested.set()
            await self._wait_for(self._next_refresh)
            key = self.known_key(key_id, algorithm)
        return key

    async def run(self) -> None:
        """Refresh the keys at intervals and on request, until cancelled."""
        while True:
            interval_s = REFRESH_INTERVAL_S if await self._refresh() else RETRY_INTERVAL_S
            await self._clock.sleep(self._min_interval_s)
            await self._clock.wait(self._refresh_requested, timeout_s=interval_s - self._min_interval_s)

    async def _wait_for(self, refresh: "_Refresh") -> None:
        """Wait for the end of a refresh. Raises `IssuerUnavailable`."""
        if self._waiting >= MAX_WAITING:
            raise IssuerUnavailable
        self._waiting += 1
        try:
            await self._clock.wait(refresh.ended, timeout_s=self._min_interval_s + 2 * TIMEOUT_S)
        finally:
            self._waiting -= 1
        if not refresh.is_successful:
            raise IssuerUnavailable

    async def _refresh(self) -> bool:
        """Read the keys, wake the calls that wait for it, and return whether the keys could be read."""
        self._refresh_requested.clear()
        refresh = self._running_refresh = self._next_refresh or _Refresh()
        self._next_refresh = None
        try:
            self._keys = await self._read()
            refresh.is_successful = True
        except JwksError as error:
            log.warning("the issuer's keys could not be read: %s", error)
        finally:
            self._running_refresh = None
            refresh.ended.set()
        return refresh.is_successful


class _Refresh:
    """A refresh that calls wait for."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.is_successful = False


class JwksClient:
    """Reads the keys of one issuer, with limits on size and time and without following redirects."""

    def __init__(self, http: aiohttp.ClientSession, rules: TokenRules, *, timeout_s: float = TIMEOUT_S) -> None:
        self._http = http
        self._rules = rules
        self._timeout_s = timeout_s

    async def read(self) -> KeySet:
        """Return the keys for the allowed algorithms. Raises `JwksError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                url = self._rules.jwks_url or await self._discover()
                published = JwkSet.model_validate_json(await self._get(url))
        except ValidationError as error:
            raise JwksError(f"its response is invalid ({error.error_count()} validation errors)") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise JwksError(f"{type(error).__name__}: {error}") from error
        return usable_keys(published, self._rules.algorithms, issuer=self._rules.issuer)

    async def _discover(self) -> str:
        issuer = self._rules.issuer
        body = await self._get(issuer.replace(TENANT, ALL_TENANTS).rstrip("/") + DISCOVERY_PATH)
        configuration = OpenIdConfiguration.model_validate_json(body)
        if configuration.issuer != issuer:
            raise JwksError(f"the OpenID configuration of {issuer} names the issuer {configuration.issuer!r}")
        if URL(configuration.jwks_uri).scheme not in {"https", URL(issuer).scheme}:
            raise JwksError(f"{issuer} publishes its keys at an insecure URL, not https")
        return configuration.jwks_uri

    async def _get(self, url: str) -> bytes:
        body = bytearray()
        async with self._http.get(url, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise JwksError(f"{url} returned status {response.status}")
            async for part in response.content.iter_any():
                body += part
                if len(body) > MAX_RESPONSE_BYTES:
                    raise JwksError(f"{url} returned more than {MAX_RESPONSE_BYTES} bytes")
        return bytes(body)


def usable_keys(published: JwkSet, algorithms: tuple[str, ...], *, issuer: str = "") -> KeySet:
    """Return the public signature keys of a JWKS, each bound to one of `algorithms`. Other keys are skipped.

    Keys that Microsoft Entra publishes for the tokens of another issuer only are skipped too.
    """
    keys: dict[tuple[str | None, str], jwt.PyJWK] = {}
    for jwk in published.keys:
        key_id = jwk.get("kid")
        is_usable = _is_public_and_for_signatures(jwk) and _is_for_issuer(jwk, issuer)
        if not isinstance(key_id, str | None) or not is_usable:
            continue
        for algorithm in _algorithms(jwk).intersection(algorithms):
            if key := _key(jwk, algorithm):
                keys.setdefault((key_id, algorithm), key)
    if not keys:
        log.warning("none of the issuer's %d keys can be used for %s", len(published.keys), ", ".join(algorithms))
    return keys


def _is_public_and_for_signatures(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations and "d" not in jwk


def _is_for_issuer(jwk: Mapping[str, object], issuer: str) -> bool:
    """Return whether a key's member `issuer`, which Microsoft Entra's keys have, permits it for this issuer's tokens.

    A key whose `issuer` has the placeholder is for all tenants.
    """
    only_for = jwk.get("issuer")
    return only_for is None or only_for == issuer or (isinstance(only_for, str) and TENANT in only_for)


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    """Return the algorithms for which the key can be used: those of its type, or only its `alg` if it has one."""
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            supported = RSA_ALGORITHMS
        case "EC" | "OKP", str(curve) if curve in CURVES:
            supported = frozenset({CURVES[curve]})
        case _:
            return frozenset()
    return frozenset(name for name in supported if jwk.get("alg", name) == name)


def _key(jwk: dict[str, object], algorithm: str) -> jwt.PyJWK | None:
    """Return the key; None if it is invalid or too short (RFC 7518, section 3.3)."""
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        log.warning("skipped an invalid key of the issuer")
        return None
    return None if key.Algorithm.check_key_length(key.key) else key


def open_issuer_session() -> aiohttp.ClientSession:
    """Return an HTTP client that uses the environment's proxy. It doesn't decompress, so that size limits hold."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        trust_env=True,
    )


@asynccontextmanager
async def open_jwks_caches(
    rules: Sequence[TokenRules], *, min_interval_s: float = MIN_REFRESH_INTERVAL_S
) -> AsyncIterator[list[JwksCache]]:
    """Yield the cache of each issuer's keys. They are refreshed in the background while the context is open."""
    for each in rules:
        _warn_of_plain_http(each.jwks_url or each.issuer)
    async with open_issuer_session() as http, asyncio.TaskGroup() as tasks:
        clients = [JwksClient(http, each) for each in rules]
        caches = [JwksCache(client.read, SystemClock(), min_interval_s=min_interval_s) for client in clients]
        loops = [tasks.create_task(supervise("refresh of an issuer's keys", cache.run)) for cache in caches]
        yield caches
        for loop in loops:
            loop.cancel()


def _warn_of_plain_http(url: str) -> None:
    if URL(url).scheme == "http" and URL(url).host not in {"127.0.0.1", "::1", "localhost"}:
        log.warning("%s is not https: an attacker on the network could replace the keys and sign tokens", url)
