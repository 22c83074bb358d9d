"""An OpenID Connect issuer on this machine, with keys, tokens, and responses that tests can replace."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from tests.support import tokens

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@cache
def key_of(algorithm: str, name: str) -> Key:
    """Return a key for the algorithm, always the same for a name."""
    del name
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def published(algorithm: str, name: str, **changes: object) -> dict[str, Any]:
    """Return the public JWK of a key. Changes replace members; None removes a member."""
    jwk = get_default_algorithms()[algorithm].to_jwk(key_of(algorithm, name).public_key(), as_dict=True)
    given = {**jwk, "kid": name, "alg": algorithm, "use": "sig", "key_ops": None, **changes}
    return {member: value for member, value in given.items() if value is not None}


class Issuer:
    """Publishes `keys`, unless `handler` is set, and counts the requests for them."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = [published(algorithm, f"the {algorithm} key") for algorithm in ("RS256", "ES256", "EdDSA")]
        self.handler: Handler | None = None
        self.configuration: dict[str, object] = {}
        self.reads = 0

    def claims(self, subject: str = "ann", **changes: object) -> dict[str, Any]:
        """Return the claims of a valid token. Changes replace claims; None removes a claim."""
        return tokens.claims(subject, **{"iss": self.url, **changes})

    def token(
        self, subject: str = "ann", *, algorithm: str = "RS256", key: str | None = None, **changes: object
    ) -> str:
        """Return a token that is valid unless the changes of its claims make it invalid."""
        name = key or f"the {algorithm} key"
        return jwt.encode(self.claims(subject, **changes), key_of(algorithm, name), algorithm, headers={"kid": name})

    def forged(self, **headers: object) -> str:
        """Return a token that is valid except for its signature by an attacker's key."""
        given = {"kid": "the RS256 key", **headers}
        return jwt.encode(self.claims(), key_of("RS256", "attacker"), "RS256", headers=given)

    async def get_configuration(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.configuration})

    async def get_keys(self, request: web.Request) -> web.StreamResponse:
        self.reads += 1
        if self.handler is not None:
            return await self.handler(request)
        return web.json_response({"keys": self.keys})


@asynccontextmanager
async def open_issuer() -> AsyncIterator[Issuer]:
    """Run an issuer on a free port."""
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.get_configuration)
    app.router.add_get("/keys", issuer.get_keys)
    async with TestServer(app) as server:
        issuer.url = str(server.make_url("/")).rstrip("/")
        yield issuer


def long_ago() -> int:
    """Return a time before now by more than any leeway."""
    return int(time.time()) - 1000
