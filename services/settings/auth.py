"""Settings of bearer tokens."""

from pydantic import Field, SecretStr

from services.settings.base import SettingsGroup


class AuthSettings(SettingsGroup):
    """The issuer of tokens or the secret that signs them, and the claims that tokens must have."""

    jwt_issuer: str | None = Field(
        None, pattern=r"^https?://[^\s?#]+$", description="URL of the tokens' issuer, the `iss` claim."
    )
    jwt_audience: str = Field("rendercast", min_length=1, description="Required `aud` claim of tokens.")
    jwt_jwks_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="URL of the issuer's keys (JWKS). Default: from the issuer's OpenID configuration.",
    )
    jwt_algorithms: str = Field(
        "RS256,ES256,EdDSA",
        pattern=r"^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA)(?:,(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA))*$",
        description="Signature algorithms accepted from the issuer, separated by commas.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that signs tokens (HS256) if there is no issuer: random, at least 32 characters.",
    )
    jwt_leeway_s: int = Field(30, ge=0, le=300, description="Accepted difference from the issuer's clock, in seconds.")
    operator_scope: str | None = Field(
        None,
        pattern=r"^[!#-\[\]-~]+$",  # a scope-token of RFC 6749, section 3.3
        description="Tokens with this scope can read all users' renders. Unset: none.",
    )
