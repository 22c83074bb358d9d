"""Invalid tokens, by what is wrong with them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.credentials import MAX_TOKEN_LENGTH
from tests.security.issuer import Issuer, key_of, published

RSA_KEY = "the RS256 key"
DEEP = b'{"alg":' + b"[" * 3000 + b"]" * 3000 + b"}"

Forge = Callable[[Issuer], str]


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def handmade(header: dict[str, Any], claims: dict[str, Any], key: bytes = b"") -> str:
    """Return a token that no library would create, signed with this HMAC key if any."""
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), hashlib.sha256)) if key else ''}"


def signed(issuer: Issuer, **headers: object) -> str:
    """Return a token with the issuer's signature and additional headers."""
    return jwt.encode(issuer.claims(), key_of("RS256", RSA_KEY), "RS256", headers={"kid": RSA_KEY, **headers})


def confused(issuer: Issuer, key: bytes) -> str:
    """Return a token signed with public data of the issuer's key as an HMAC secret."""
    return handmade({"alg": "HS256", "typ": "JWT", "kid": RSA_KEY}, issuer.claims(), key)


def public_pem() -> bytes:
    key = key_of("RS256", RSA_KEY)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


FORGERIES: dict[str, Forge] = {
    "alg none": lambda issuer: handmade({"alg": "none"}, issuer.claims()),
    "alg none, with a signature": lambda issuer: handmade({"alg": "none", "kid": RSA_KEY}, issuer.claims(), b"key"),
    "alg nOnE": lambda issuer: handmade({"alg": "nOnE", "kid": RSA_KEY}, issuer.claims(), b"key"),
    "no alg": lambda issuer: handmade({"kid": RSA_KEY}, issuer.claims(), b"key"),
    "alg is a list": lambda issuer: handmade({"alg": ["RS256"], "kid": RSA_KEY}, issuer.claims(), b"key"),
    "the public key as a secret": lambda issuer: confused(issuer, public_pem()),
    "the public key as a secret, trimmed": lambda issuer: confused(issuer, public_pem().strip()),
    "the published key as a secret": lambda issuer: confused(issuer, json.dumps(issuer.keys[0]).encode()),
    "an empty secret": lambda issuer: handmade({"alg": "HS256", "kid": RSA_KEY}, issuer.claims(), b"\0"),
    "wrong key": lambda issuer: issuer.forged(),
    "key of another algorithm": lambda issuer: jwt.encode(
        issuer.claims(), key_of("ES256", "attacker"), "ES256", headers={"kid": RSA_KEY}
    ),
    "algorithm the issuer doesn't use": lambda issuer: jwt.encode(
        issuer.claims(), key_of("RS256", RSA_KEY), "PS256", headers={"kid": RSA_KEY}
    ),
    "key in the token": lambda issuer: issuer.forged(jwk=published("RS256", "attacker")),
    "key at jku": lambda issuer: issuer.forged(jku=f"{issuer.url}/attacker"),
    "key at x5u": lambda issuer: issuer.forged(x5u=f"{issuer.url}/attacker"),
    "key in x5c": lambda issuer: issuer.forged(x5c=["MIIB"]),
    "unknown key": lambda issuer: issuer.forged(kid="unknown"),
    "kid is a path": lambda issuer: issuer.forged(kid="../../../../dev/null"),
    "kid is a URL": lambda issuer: issuer.forged(kid=f"{issuer.url}/attacker"),
    "kid is SQL": lambda issuer: issuer.forged(kid="x' UNION SELECT 'secret' --"),
    "kid with NUL": lambda issuer: issuer.forged(kid="the RS256 key\0"),
    "kid is long": lambda issuer: issuer.forged(kid="k" * 4000),
    "kid is not a string": lambda issuer: handmade({"alg": "RS256", "kid": {"$ne": ""}}, issuer.claims(), b"key"),
    "no kid, unknown key": lambda issuer: jwt.encode(issuer.claims(), key_of("RS256", "attacker"), "RS256"),
    "critical extension": lambda issuer: handmade(
        {"alg": "RS256", "kid": RSA_KEY, "crit": ["exp"], "exp": 1}, issuer.claims(), b"key"
    ),
    "critical extension the library supports": lambda issuer: signed(issuer, crit=["b64"], b64=True),
    "detached payload": lambda issuer: signed(issuer, b64=False),
    "wrong issuer": lambda issuer: issuer.token(iss="https://attacker.test"),
    "issuer with a slash": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "wrong audience": lambda issuer: issuer.token(aud="another API"),
    "wrong audiences": lambda issuer: issuer.token(aud=["another API", "rendercast2"]),
    "no audience": lambda issuer: issuer.token(aud=None),
    "no expiry": lambda issuer: issuer.token(exp=None),
    "expiry is a word": lambda issuer: handmade_by_issuer(issuer, exp="tomorrow"),
    "expiry is a string": lambda issuer: handmade_by_issuer(issuer, exp=str(issuer.claims()["exp"])),
    "expiry is true": lambda issuer: handmade_by_issuer(issuer, exp=True),
    "expiry is null": lambda issuer: handmade_by_issuer(issuer, exp=None),
    "not before is a string": lambda issuer: handmade_by_issuer(issuer, nbf="0"),
    "issue time is a string": lambda issuer: handmade_by_issuer(issuer, iat="0"),
    "audience in an object": lambda issuer: handmade_by_issuer(issuer, aud={"rendercast": True}),
    "audience in a nested list": lambda issuer: handmade_by_issuer(issuer, aud=[["rendercast"]]),
    "audience in another claim": lambda issuer: handmade_by_issuer(issuer, aud=None, azp="rendercast"),
    "issuer in a list": lambda issuer: handmade_by_issuer(issuer, iss=[issuer.url]),
    "expiry is infinite": lambda issuer: issuer.token(exp=float("inf")),
    "not yet valid": lambda issuer: issuer.token(nbf=issuer.claims()["exp"]),
    "issued in the future": lambda issuer: issuer.token(iat=issuer.claims()["exp"]),
    "no subject": lambda issuer: issuer.token(sub=None),
    "empty subject": lambda issuer: issuer.token(""),
    "long subject": lambda issuer: issuer.token("a" * 256),
    "subject with a line break": lambda issuer: issuer.token("ann\nbob"),
    "subject with an unpaired surrogate": lambda issuer: issuer.token("\ud800"),
    "subject is a number": lambda issuer: handmade_by_issuer(issuer, sub=7),
    "payload changed": lambda issuer: with_payload(issuer.token("ann"), issuer.claims("bob")),
    "signature cut": lambda issuer: issuer.token()[:-4],
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "five parts": lambda issuer: f"{issuer.token()}.a.b",
    "long": lambda issuer: issuer.token(more="x" * MAX_TOKEN_LENGTH),
    "deeply nested header": lambda _: f"{encoded(DEEP)}.e30.e30",
    "header is not an object": lambda _: f"{encoded(b'[]')}.e30.e30",
    "header is not JSON": lambda _: f"{encoded(b'{')}.e30.e30",
    "header with a long number": lambda _: f"{encoded(b'[' + b'9' * 5000 + b']')}.e30.e30",
    "nonsense": lambda _: "not.a.token",
    "empty parts": lambda _: "..",
}


def handmade_by_issuer(issuer: Issuer, **changes: object) -> str:
    """Return a token with claims that the issuer's library would not sign."""
    key = key_of("RS256", RSA_KEY)
    return jwt.PyJWS().encode(json.dumps(issuer.claims() | changes).encode(), key, "RS256", headers={"kid": RSA_KEY})


def with_payload(token: str, claims: dict[str, Any]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{encoded(json.dumps(claims).encode())}.{signature}"
