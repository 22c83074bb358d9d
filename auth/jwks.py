"""The keys of an issuer: its JSON Web Key Set (JWKS, RFC 7517), cached and refreshed in the background."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
import jwt
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from auth.tokens import TokenRules
from services.background.supervision import supervise
from services.clock import SystemClock
from services.errors import IssuerUnavailable
from services.ports import Clock

DISCOVERY_PATH = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
REFRESH_INTERVAL_S = 300.0
RETRY_INTERVAL_S = 30.0  # after a refresh that failed
MIN_REFRESH_INTERVAL_S = 10.0  # however many unknown keys are requested
TIMEOUT_S = 5.0  # of a refresh
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

    Keys are refreshed every `REFRESH_INTERVAL_S`, and immediately when an unknown key is requested, but at most once in
    `MIN_REFRESH_INTERVAL_S`, so that tokens with invented key ids can't flood the issuer with requests. While the
    issuer is unavailable, the last keys stay in use.
    """

    def __init__(self, read: Callable[[], Awaitable[KeySet]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._keys: KeySet | None = None
        self._is_rate_limited = False
        self._refresh_requested = asyncio.Event()
        self._refresh_ended = asyncio.Event()

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, after a refresh if it isn't cached; None if the issuer doesn't have it.

        Without a key id, the key must be the only one for its algorithm. Raises `IssuerUnavailable` if the keys have
        never been read.
        """
        key = self._cached_key(key_id, algorithm)
        if key is None and not self._is_rate_limited:
            self._refresh_requested.set()
            await self._clock.wait(self._refresh_ended, timeout_s=TIMEOUT_S + 1)
            key = self._cached_key(key_id, algorithm)
        if self._keys is None:
            raise IssuerUnavailable
        return key

    async def run(self) -> None:
        """Refresh the keys at intervals and on request, until cancelled."""
        while True:
            interval_s = REFRESH_INTERVAL_S if await self._refresh() else RETRY_INTERVAL_S
            await self._clock.sleep(MIN_REFRESH_INTERVAL_S)
            self._is_rate_limited = False
            await self._clock.wait(self._refresh_requested, timeout_s=interval_s - MIN_REFRESH_INTERVAL_S)

    async def _refresh(self) -> bool:
        """Read the keys, wake all waiting `get_key` calls, and return whether the keys could be read."""
        self._refresh_requested.clear()
        try:
            self._keys = await self._read()
        except JwksError as error:
            log.warning("the issuer's keys could not be read: %s", error)
            return False
        else:
            return True
        finally:
            self._is_rate_limited = True
            self._refresh_ended.set()
            self._refresh_ended = asyncio.Event()

    def _cached_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if key_id is not None:
            return keys.get((key_id, algorithm))
        candidates = [key for (_, key_algorithm), key in keys.items() if key_algorithm == algorithm]
        return candidates[0] if len(candidates) == 1 else None


class JwksClient:
    """Reads the keys of one issuer, with limits on size and time and without following redirects."""

    def __init__(
        self, http: aiohttp.ClientSession, rules: TokenRules, *, jwks_url: str | None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._http = http
        self._rules = rules
        self._jwks_url = jwks_url
        self._timeout_s = timeout_s

    async def read(self) -> KeySet:
        """Return the keys for the allowed algorithms. Raises `JwksError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                url = self._jwks_url or await self._discover()
                published = JwkSet.model_validate_json(await self._get(url))
        except ValidationError as error:
            raise JwksError(f"its response is invalid ({error.error_count()} validation errors)") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise JwksError(f"{type(error).__name__}: {error}") from error
        return usable_keys(published, self._rules.algorithms)

    async def _discover(self) -> str:
        issuer = self._rules.issuer
        body = await self._get(issuer.rstrip("/") + DISCOVERY_PATH)
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


def usable_keys(published: JwkSet, algorithms: tuple[str, ...]) -> KeySet:
    """Return the public signature keys of a JWKS, each bound to one of `algorithms`. Other keys are skipped."""
    keys: dict[tuple[str | None, str], jwt.PyJWK] = {}
    for jwk in published.keys:
        key_id = jwk.get("kid")
        if not isinstance(key_id, str | None) or not _is_public_and_for_signatures(jwk):
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
async def open_jwks_cache(rules: TokenRules, *, jwks_url: str | None) -> AsyncIterator[JwksCache]:
    """Yield the cache of the issuer's keys. It is refreshed in the background while the context is open."""
    _warn_of_plain_http(jwks_url or rules.issuer)
    async with open_issuer_session() as http, asyncio.TaskGroup() as tasks:
        keys = JwksCache(JwksClient(http, rules, jwks_url=jwks_url).read, SystemClock())
        loop = tasks.create_task(supervise("refresh of the issuer's keys", keys.run))
        yield keys
        loop.cancel()


def _warn_of_plain_http(url: str) -> None:
    if URL(url).scheme == "http" and URL(url).host not in {"127.0.0.1", "::1", "localhost"}:
        log.warning("%s is not https: an attacker on the network could replace the keys and sign tokens", url)
