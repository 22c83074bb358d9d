"""Settings of bearer tokens."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.settings.base import SettingsGroup
from services.settings.values import check_choices, check_issuer, check_scope, check_url

ALGORITHMS = (*(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA")


class AuthSettings(SettingsGroup):
    """The issuer of tokens or the secret that signs them, and the claims that tokens must have."""

    jwt_issuer: Annotated[str, AfterValidator(check_issuer)] | None = Field(
        None, description="URL of the tokens' issuer, the `iss` claim."
    )
    jwt_audience: str = Field("rendercast", min_length=1, description="Required `aud` claim of tokens.")
    jwt_jwks_url: Annotated[str, AfterValidator(check_url)] | None = Field(
        None, description="URL of the issuer's keys (JWKS). Default: from the issuer's OpenID configuration."
    )
    jwt_algorithms: Annotated[str, AfterValidator(lambda text: check_choices(text, ALGORITHMS))] = Field(
        "RS256,ES256,EdDSA", description="Signature algorithms accepted from the issuer, separated by commas."
    )
    jwt_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that signs tokens (HS256) if there is no issuer: random, at least 32 characters.",
    )
    jwt_leeway_s: int = Field(30, ge=0, le=300, description="Accepted difference from the issuer's clock, in seconds.")
    operator_scope: Annotated[str, AfterValidator(check_scope)] | None = Field(
        None, description="Tokens with this scope can read all users' renders. Unset: none."
    )
