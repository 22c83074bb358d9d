"""Issuers of tokens that differ in more than their URL: the JSON of `RENDERCAST_JWT_ISSUERS`."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from services.settings.values import check_choices, check_issuer, check_scope, check_url, items

SECRET_ALGORITHM = "HS256"  # noqa: S105  # a name
KEY_ALGORITHMS = (*(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA")
ALGORITHMS = (*KEY_ALGORITHMS, SECRET_ALGORITHM)
MIN_SECRET_LENGTH = 32

AudienceClaim = Literal["aud", "client_id", "azp"]


def check_secrets(secret: SecretStr) -> SecretStr:
    """Return one or several secrets, separated by spaces."""
    lengths = [len(each) for each in secret.get_secret_value().split()]
    if (shortest := min(lengths, default=0)) < MIN_SECRET_LENGTH:
        unit = "character" if shortest == 1 else "characters"
        part = " in a part between spaces, which separate secrets" if len(lengths) > 1 else ""
        raise ValueError(f"is too short: {shortest} {unit}{part}, at least {MIN_SECRET_LENGTH} needed")
    return secret


def split_secrets(secret: SecretStr | None) -> tuple[SecretStr, ...]:
    """Return the secrets that are separated by spaces. The first signs, all verify."""
    return () if secret is None else tuple(SecretStr(each) for each in secret.get_secret_value().split())


def check_algorithms(text: str) -> str:
    """Return a list of signature algorithms, separated by commas."""
    return check_choices(text, ALGORITHMS)


def check_claim_name(name: str) -> str:
    """Return the name of a claim, or a path of names separated by dots."""
    if not name or not name.isprintable() or any(character.isspace() for character in name):
        raise ValueError(f"is not the name of a claim: {name!r}")
    return name


def check_audiences(text: str) -> str:
    """Return a list of audiences, separated by commas, with at least one item."""
    if not items(text):
        raise ValueError("has no item")
    return text


def _joined(value: object) -> object:
    """Return a JSON list of texts as one text with commas; any other value unchanged."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return value


class IssuerSettings(BaseModel):
    """One issuer of `RENDERCAST_JWT_ISSUERS`. A member that is left out is that of the variable `RENDERCAST_JWT_…`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    issuer: Annotated[str, AfterValidator(check_issuer)]
    audience: Annotated[str, BeforeValidator(_joined), AfterValidator(check_audiences)] | None = None
    audience_claim: AudienceClaim | None = None
    algorithms: Annotated[str, BeforeValidator(_joined), AfterValidator(check_algorithms)] | None = None
    jwks_url: Annotated[str, AfterValidator(check_url)] | None = None
    secret: Annotated[SecretStr, Field(strict=False), AfterValidator(check_secrets)] | None = None
    operator_scope: Annotated[str, AfterValidator(check_scope)] | None = None
    operator_claim: Annotated[str, AfterValidator(check_claim_name)] | None = None


def parse_issuers(text: str) -> tuple[IssuerSettings, ...]:
    """Return the issuers of a JSON list. Raises `ValueError` with the predicate of a sentence that shows no value."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(
            'is not a JSON list of objects such as [{"issuer": "https://…", "audience": "…"}]; '
            "RENDERCAST_JWT_ISSUER takes URLs separated by commas"
        )
    return tuple(_parse_issuer(number, entry) for number, entry in enumerate(entries, 1))


def _parse_issuer(number: int, entry: dict[str, object]) -> IssuerSettings:
    try:
        return IssuerSettings.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        member = str(first["loc"][0])
        raise ValueError(
            f"has in entry {number} a problem with {member!r}: {_problem(first['type'], member)}"
        ) from None


def _problem(kind: str, member: str) -> str:
    """Say what is wrong with a member, without its value: it may be a secret."""
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return f"the members are {', '.join(IssuerSettings.model_fields)}"
    return f"it must be {EXPECTED[member]}"


EXPECTED = {
    "issuer": "the `iss` of its tokens, an http or https URL without query",
    "audience": "a text or a list of texts",
    "audience_claim": "aud, client_id or azp",
    "algorithms": f"one or some of {', '.join(ALGORITHMS)}",
    "jwks_url": "an http or https URL",
    "secret": f"a text of at least {MIN_SECRET_LENGTH} characters",
    "operator_scope": "one scope, without spaces",
    "operator_claim": "the name of a claim",
}
