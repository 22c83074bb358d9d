"""Tokens in the form of each identity provider's, and its published keys. Keys and names are the tests' own.

Sources: each provider's documentation of its tokens.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.security.issuer import key_of, published

TENANT = "1f4e6c9a-0b7d-4c55-9a3e-5d2f8b7c6a10"
SUPABASE_SECRET = "THE-JWT-SECRET-OF-THE-PROJECT-IN-SUPABASE"  # noqa: S105  # as in docs/identity.md
UUID = "6b1f7c52-8a40-4a5e-9d7c-0f3f6f0e8c11"
RSA_JWK = published("RS256", "the key")
ENTRA_JWK = published("RS256", "the key", alg=None)
SUPABASE_JWK = published("ES256", "the key", key_ops=["verify"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The claims of a user's token, those that an operator's has in addition, and how it is signed."""

    claims: Mapping[str, Any]
    operator: Mapping[str, Any] = field(default_factory=dict)
    wrong: str = "aud"  # the claim that another client's token differs in
    header: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    jwk: Mapping[str, Any] | None = field(default_factory=lambda: RSA_JWK)

    def token(self, **changes: object) -> str:
        """Return a token with these claims replaced; None removes a claim."""
        now = int(time.time())
        claims = {"iat": now, "exp": now + 3600, **self.claims, **changes}
        key = SUPABASE_SECRET if self.jwk is None else key_of(self.algorithm, "the key")
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, key, self.algorithm, headers={"kid": "the key", **self.header})


SUPABASE = {
    "iss": "https://REF.supabase.co/auth/v1",
    "sub": UUID,
    "aud": "authenticated",
    "email": "ann@example.com",
    "phone": "",
    "app_metadata": {"provider": "email", "providers": ["email"]},
    "user_metadata": {"email_verified": True, "roles": ["operator"]},
    "role": "authenticated",
    "aal": "aal1",
    "amr": [{"method": "password", "timestamp": 1782000000}],
    "session_id": UUID,
    "is_anonymous": False,
}
SUPABASE_OPERATOR = {"app_metadata": {"provider": "email", "providers": ["email"], "roles": ["operator"]}}
COGNITO = {
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/POOL",
    "sub": UUID,
    "origin_jti": UUID,
    "event_id": UUID,
    "auth_time": 1782000000,
    "jti": UUID,
}
ENTRA_V2 = {
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "aud": "CLIENT",
    "nbf": 1782000000,
    "aio": "AXQAi/8TAAAA",
    "azp": "ANOTHER-CLIENT",
    "azpacr": "0",
    "name": "Ann",
    "oid": UUID,
    "preferred_username": "ann@example.com",
    "rh": "0.AX0A",
    "scp": "Renders.Start",
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}

PROVIDERS: dict[str, Provider] = {
    "Auth0, access token": Provider(
        claims={
            "iss": "https://TENANT.eu.auth0.com/",
            "sub": "auth0|6512f3b8e4a1c9d7f0e2b345",
            "aud": ["https://api.example.com", "https://TENANT.eu.auth0.com/userinfo"],
            "scope": "openid profile email",
            "azp": "CLIENT",
            "permissions": [],
        },
        operator={"permissions": ["renders:all"]},
    ),
    "Clerk, session token": Provider(
        claims={
            "azp": "https://app.example.com",
            "fea": "u:articles",
            "fva": [7, -1],
            "iss": "https://clerk.example.com",
            "nbf": 1782000000,
            "o": {"id": "org_123", "slg": "mine", "rol": "admin"},
            "pla": "u:free",
            "sid": "sess_123",
            "sts": "active",
            "sub": "user_123",
            "v": 2,
        },
        operator={"metadata": {"role": "operator"}},
        wrong="azp",
        header={"cat": "cl_B7d4PD111AAA"},
    ),
    "Cognito, access token": Provider(
        claims={
            **COGNITO,
            "client_id": "CLIENT",
            "token_use": "access",
            "scope": "openid",
            "username": "ann",
            "version": 2,
        },
        operator={"cognito:groups": ["operators"]},
        wrong="client_id",
    ),
    "Cognito, ID token": Provider(
        claims={**COGNITO, "aud": "CLIENT", "token_use": "id", "cognito:username": "ann", "email_verified": True},
        operator={"cognito:groups": ["operators", "staff"]},
    ),
    "Firebase, ID token": Provider(
        claims={
            "iss": "https://securetoken.google.com/PROJECT",
            "aud": "PROJECT",
            "auth_time": 1782000000,
            "user_id": "mfGjqC9pWbTdQx1aTu0KzV2y8yE3",
            "sub": "mfGjqC9pWbTdQx1aTu0KzV2y8yE3",
            "firebase": {"identities": {"google.com": ["1234"]}, "sign_in_provider": "google.com"},
        },
        operator={"roles": ["operator"]},
    ),
    "Supabase, signing keys": Provider(
        claims=SUPABASE, operator=SUPABASE_OPERATOR, algorithm="ES256", jwk=SUPABASE_JWK
    ),
    "Supabase, legacy secret": Provider(claims=SUPABASE, operator=SUPABASE_OPERATOR, algorithm="HS256", jwk=None),
    "Keycloak, access token": Provider(
        claims={
            "jti": "onrtac:0a1b2c",
            "iss": "https://sso.example.com/realms/REALM",
            "aud": "account",
            "sub": UUID,
            "typ": "Bearer",
            "azp": "CLIENT",
            "sid": UUID,
            "acr": "1",
            "allowed-origins": ["https://app.example.com"],
            "realm_access": {"roles": ["offline_access", "default-roles-realm"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid email profile",
            "preferred_username": "ann",
        },
        operator={"realm_access": {"roles": ["offline_access", "operator"]}},
        wrong="azp",
    ),
    "Okta, access token": Provider(
        claims={
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "iss": "https://example.okta.com/oauth2/default",
            "aud": "api://default",
            "cid": "CLIENT",
            "uid": "00uid4BxXw6I6TV4m0g3",
            "scp": ["openid"],
            "auth_time": 1782000000,
            "sub": "ann@example.com",
        },
        operator={"scp": ["openid", "renders.all"]},
    ),
    "Entra ID, v2.0 token": Provider(
        claims=ENTRA_V2,
        operator={"roles": ["Renders.ReadAll"]},
        jwk={**ENTRA_JWK, "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
    ),
    "Entra ID, v1.0 token": Provider(
        claims={
            "aud": "api://CLIENT",
            "iss": f"https://sts.windows.net/{TENANT}/",
            "nbf": 1782000000,
            "acr": "1",
            "amr": ["pwd"],
            "appid": "ANOTHER-CLIENT",
            "appidacr": "0",
            "ipaddr": "192.0.2.1",
            "oid": UUID,
            "scp": "Renders.Start",
            "sub": "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA",
            "tid": TENANT,
            "unique_name": "ann@example.com",
            "ver": "1.0",
        },
        operator={"roles": ["Renders.ReadAll"]},
        header={"x5t": "the key"},
        jwk=ENTRA_JWK,
    ),
    "Entra ID, any tenant": Provider(
        claims=ENTRA_V2, jwk={**ENTRA_JWK, "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}
    ),
    "Zitadel, access token (JWT)": Provider(
        claims={
            "iss": "https://INSTANCE.zitadel.cloud",
            "sub": "259242039378444290",
            "aud": ["259242039378444291", "PROJECT"],
            "nbf": 1782000000,
            "client_id": "259242039378444291",
            "jti": "V2_259242039378444292-at_259242039378444293",
        },
        operator={"urn:zitadel:iam:org:project:roles": {"operator": {"2592420393": "example.zitadel.cloud"}}},
    ),
    "Google, ID token": Provider(
        claims={
            "iss": "https://accounts.google.com",
            "azp": "CLIENT.apps.googleusercontent.com",
            "aud": "CLIENT.apps.googleusercontent.com",
            "sub": "110169484474386276334",
            "hd": "example.com",
            "email": "ann@example.com",
            "email_verified": True,
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        },
    ),
}
