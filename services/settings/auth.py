"""Settings of bearer tokens."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from services.settings.base import SettingsGroup
from services.settings.issuers import (
    AudienceClaim,
    IssuerSettings,
    check_algorithms,
    check_audiences,
    check_claim_name,
    check_secrets,
    parse_issuers,
)
from services.settings.values import check_issuers, check_scope, check_url


class AuthSettings(SettingsGroup):
    """The issuers of tokens, or the secret that signs them, and required claims: see [identity.md](identity.md)."""

    jwt_issuer: Annotated[str, AfterValidator(check_issuers)] | None = Field(
        None,
        description="URL of the tokens' issuer, the `iss` claim; several separated by commas. `{tenantid}` stands for "
        "the id of any tenant of Microsoft Entra.",
    )
    jwt_audience: Annotated[str, AfterValidator(check_audiences)] = Field(
        "rendercast",
        min_length=1,
        description="Required audience of tokens; several separated by commas, of which a token needs one.",
    )
    jwt_audience_claim: AudienceClaim = Field(
        "aud", description="Claim with the audience: `aud`, or `client_id` or `azp` if tokens have no `aud`."
    )
    jwt_jwks_url: Annotated[str, AfterValidator(check_url)] | None = Field(
        None, description="URL of the issuer's keys (JWKS). Default: from the issuer's OpenID configuration."
    )
    jwt_algorithms: Annotated[str, AfterValidator(check_algorithms)] = Field(
        "RS256,ES256,EdDSA",
        description="Signature algorithms accepted from the issuer, separated by commas. `HS256` if the issuer signs "
        "with `RENDERCAST_JWT_SECRET`.",
    )
    jwt_issuers: SecretStr | None = Field(
        None,
        description="Issuers that differ in more than their URL, instead of `RENDERCAST_JWT_ISSUER`: a JSON list of "
        "objects with `issuer`, `audience`, `audience_claim`, `jwks_url`, `algorithms`, `secret`, `operator_scope`, "
        "`operator_claim`. A missing `audience`, `audience_claim`, `algorithms`, `operator_scope` or `operator_claim` "
        "takes the value of its variable; with `secret`, a missing `algorithms` is `HS256`. `RENDERCAST_JWT_SECRET` "
        "and `RENDERCAST_JWT_JWKS_URL` can't be set beside this list.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        description="Secret that signs tokens (HS256) if there is no issuer: random, at least 32 characters, without "
        "spaces. During a rotation: the new and the old one, separated by a space.",
    )
    jwt_leeway_s: int = Field(30, ge=0, le=300, description="Accepted difference from the issuer's clock, in seconds.")
    operator_scope: Annotated[str, AfterValidator(check_scope)] | None = Field(
        None,
        description="Tokens with this scope can read all users' renders. Unset: none, except those of an issuer with "
        "`operator_scope` in `RENDERCAST_JWT_ISSUERS`.",
    )
    operator_claim: Annotated[str, AfterValidator(check_claim_name)] | None = Field(
        None,
        description="Claim that contains `RENDERCAST_OPERATOR_SCOPE`, such as `roles`, `permissions` or "
        "`realm_access.roles`. Default: `scope` or `scp`.",
    )
    weight_claim: Annotated[str, AfterValidator(check_claim_name)] | None = Field(
        None,
        description="Claim with a number from 0.01 to 100: the user's share of the queue, relative to users with 1. "
        "Unset, or in tokens without a number: 1.",
    )

    render_token_secret: SecretStr | None = Field(
        None,
        description="Secret of the render tokens (`renderToken`), the same in all API processes: random, "
        "at least 32 characters, without spaces; during a rotation as above. Default in `dev`: made and stored in the "
        "data folder.",
    )

    @field_validator("jwt_secret", "render_token_secret")
    @classmethod
    def _check_secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else check_secrets(secret)

    @field_validator("jwt_issuers")
    @classmethod
    def _check_issuers_json(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            parse_issuers(secret.get_secret_value())
        return secret

    @property
    def issuers(self) -> tuple[IssuerSettings, ...]:
        """The issuers of `RENDERCAST_JWT_ISSUERS`; none if it is not set."""
        return () if self.jwt_issuers is None else parse_issuers(self.jwt_issuers.get_secret_value())
