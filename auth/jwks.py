"""The keys of an issuer: its JSON Web Key Set (RFC 7517), read in the background and kept while the issuer is away."""

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
from services.clock import SystemClock
from services.errors import IssuerUnavailable
from services.ports import Clock
from services.supervision import keep_running

DISCOVERY_PATH = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
FRESH_FOR_S = 300.0  # how long keys are used before they are read again
RETRY_AFTER_S = 30.0  # the same, when they could not be read
PAUSE_S = 10.0  # between two readings, whatever is asked for
TIMEOUT_S = 5.0  # of a reading
MAX_RESPONSE_BYTES = 256 * 1024
MAX_KEYS = 100

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}  # RFC 7518, 3.4; RFC 8037, 3.1

KeySet = Mapping[tuple[str | None, str], jwt.PyJWK]  # by key id and algorithm

log = logging.getLogger(__name__)


class JwksError(Exception):  # named for what happened
    """The issuer didn't give its keys; the message says what it did."""


class OpenIdConfiguration(BaseModel):
    """What we need of an issuer's description of itself."""

    issuer: str
    jwks_uri: str


class JwkSet(BaseModel):
    """Keys as an issuer publishes them, of which some may be for other uses."""

    keys: list[dict[str, object]] = Field(max_length=MAX_KEYS)


class IssuerKeys:
    """The issuer's keys, as they were read last. `run` must be running for there to be any.

    They are read every few minutes, and as soon as somebody asks for one that isn't there, but never twice within
    `PAUSE_S`: made-up key ids cost the issuer nothing.
    """

    def __init__(self, read: Callable[[], Awaitable[KeySet]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._keys: KeySet | None = None
        self._pausing = False
        self._wanted = asyncio.Event()
        self._read_ended = asyncio.Event()

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, after another look at the issuer's if it isn't among those we have.

        A token without a key id is signed by the only key for its algorithm. Raises `IssuerUnavailable` if the keys
        have never been read.
        """
        key = self._known(key_id, algorithm)
        if key is None and not self._pausing:
            self._wanted.set()
            await self._clock.wait(self._read_ended, timeout_s=TIMEOUT_S + 1)
            key = self._known(key_id, algorithm)
        if self._keys is None:
            raise IssuerUnavailable
        return key

    async def run(self) -> None:
        """Read the keys again and again, for ever."""
        while True:
            fresh_for_s = FRESH_FOR_S if await self._read_once() else RETRY_AFTER_S
            await self._clock.sleep(PAUSE_S)
            self._pausing = False
            await self._clock.wait(self._wanted, timeout_s=fresh_for_s - PAUSE_S)

    async def _read_once(self) -> bool:
        """Read the keys and tell all who wait for that; return whether the issuer gave any."""
        self._wanted.clear()
        try:
            self._keys = await self._read()
        except JwksError as fault:
            log.warning("the issuer's keys could not be read: %s", fault)
            return False
        else:
            return True
        finally:
            self._pausing = True
            self._read_ended.set()
            self._read_ended = asyncio.Event()

    def _known(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if key_id is not None:
            return keys.get((key_id, algorithm))
        fitting = [key for (_, its_algorithm), key in keys.items() if its_algorithm == algorithm]
        return fitting[0] if len(fitting) == 1 else None


class JwksReader:
    """Reads the keys of one issuer: what it answers is bounded in size and time, and redirects are not followed."""

    def __init__(
        self, http: aiohttp.ClientSession, rules: TokenRules, *, jwks_url: str | None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._http = http
        self._rules = rules
        self._jwks_url = jwks_url
        self._timeout_s = timeout_s

    async def read(self) -> KeySet:
        """Return the keys for the algorithms that the rules allow. Raises `JwksError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                url = self._jwks_url or await self._discover()
                published = JwkSet.model_validate_json(await self._get(url))
        except ValidationError as error:
            raise JwksError(f"its answer is not understood ({error.error_count()} faults)") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise JwksError(f"{type(error).__name__}: {error}") from error
        return usable_keys(published, self._rules.algorithms)

    async def _discover(self) -> str:
        issuer = self._rules.issuer
        body = await self._get(issuer.rstrip("/") + DISCOVERY_PATH)
        configuration = OpenIdConfiguration.model_validate_json(body)
        if configuration.issuer != issuer:
            raise JwksError(f"{issuer} says that it is {configuration.issuer!r}")
        if URL(configuration.jwks_uri).scheme not in {"https", URL(issuer).scheme}:
            raise JwksError(f"{issuer} has its keys where anybody could change them on the way")
        return configuration.jwks_uri

    async def _get(self, url: str) -> bytes:
        body = bytearray()
        async with self._http.get(url, allow_redirects=False) as answer:
            if answer.status != HTTPStatus.OK:
                raise JwksError(f"{url} answered {answer.status}")
            async for part in answer.content.iter_any():
                body += part
                if len(body) > MAX_RESPONSE_BYTES:
                    raise JwksError(f"{url} answered more than {MAX_RESPONSE_BYTES} bytes")
        return bytes(body)


def usable_keys(published: JwkSet, algorithms: tuple[str, ...]) -> KeySet:
    """Return the public keys that may have signed a token, each bound to one of these algorithms."""
    keys: dict[tuple[str | None, str], jwt.PyJWK] = {}
    for jwk in published.keys:
        key_id = jwk.get("kid")
        if not isinstance(key_id, str | None) or not _is_public_and_for_signatures(jwk):
            continue
        for algorithm in _algorithms(jwk).intersection(algorithms):
            if key := _key(jwk, algorithm):
                keys.setdefault((key_id, algorithm), key)
    if not keys:
        log.warning("none of the %d keys of the issuer can be used for %s", len(published.keys), ", ".join(algorithms))
    return keys


def _is_public_and_for_signatures(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations and "d" not in jwk


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    """Return what the key may be used with: what it says itself, as far as its type admits that."""
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            fitting = RSA_ALGORITHMS
        case "EC" | "OKP", str(curve) if curve in CURVES:
            fitting = frozenset({CURVES[curve]})
        case _:
            return frozenset()
    return frozenset(name for name in fitting if jwk.get("alg", name) == name)


def _key(jwk: dict[str, object], algorithm: str) -> jwt.PyJWK | None:
    """Return the key; None if it is none, or too short (RFC 7518, section 3.3)."""
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        log.warning("a key of the issuer is not understood")
        return None
    return None if key.Algorithm.check_key_length(key.key) else key


def open_http() -> aiohttp.ClientSession:
    """Open connections to an issuer, through the proxy that the environment names if any. Nothing is decompressed."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        trust_env=True,
    )


@asynccontextmanager
async def open_issuer_keys(rules: TokenRules, *, jwks_url: str | None) -> AsyncIterator[IssuerKeys]:
    """Open the issuer's keys. While this is open they are kept up to date."""
    _warn_of_plain_http(jwks_url or rules.issuer)
    async with open_http() as http, asyncio.TaskGroup() as tasks:
        keys = IssuerKeys(JwksReader(http, rules, jwks_url=jwks_url).read, SystemClock())
        loop = tasks.create_task(keep_running("reading of the issuer's keys", keys.run))
        yield keys
        loop.cancel()


def _warn_of_plain_http(url: str) -> None:
    if URL(url).scheme == "http" and URL(url).host not in {"127.0.0.1", "::1", "localhost"}:
        log.warning("%s is not https: whoever is on the way can sign tokens for anybody", url)
