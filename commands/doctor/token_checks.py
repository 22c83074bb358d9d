"""The checks of users' tokens: the issuers' keys, and why one token is rejected."""

from collections.abc import Sequence

from auth.bearer import open_verifier
from auth.claims import TokenRejected
from auth.credentials import MAX_TOKEN_LENGTH
from auth.jwks import JwksClient, JwksError, open_issuer_session
from auth.rules import TokenRules, read_token_rules
from auth.tokens import TokenVerifier
from commands.doctor.report import CheckGroup, CheckSkipped, Finding
from commands.doctor.role import Role
from services.errors import IssuerUnavailable, StartupError
from services.models import Identity
from services.settings import Settings

PREFIX = "bearer "


async def check_tokens(group: CheckGroup) -> None:
    """Check the settings of users' tokens, and that the keys of each issuer can be read."""
    auth = group.settings.auth

    async def check() -> str:
        is_configured = auth.jwt_issuer or auth.jwt_issuers or auth.jwt_secret
        if not group.is_for(Role.SERVE) or (group.is_embedded and not is_configured):
            raise CheckSkipped("Only `rendercast serve` authenticates users.")
        rules = read_token_rules(auth)
        if auth.jwt_issuer is None and auth.jwt_issuers is None:
            return "They are signed with RENDERCAST_JWT_SECRET."
        return " ".join([await _check_issuer(each) for each in rules])

    await group.check("users' tokens", check)


async def _check_issuer(rules: TokenRules) -> str:
    """Return a sentence about the issuer's keys. Raises `StartupError` if none can be used."""
    if rules.secrets:
        return f"Tokens of {rules.issuer} are signed with its secret."
    async with open_issuer_session() as http:
        try:
            keys = await JwksClient(http, rules).read()
        except JwksError as error:
            raise StartupError(
                f"The issuer's keys can't be read: {error}. Correct RENDERCAST_JWT_ISSUER or _JWT_JWKS_URL."
            ) from error
    if not keys:
        raise StartupError("The issuer has no key for RENDERCAST_JWT_ALGORITHMS: set it to its signing algorithms.")
    return f"{len({key_id for key_id, _ in keys})} keys of {rules.issuer} can be read."


async def explain_token(settings: Settings, text: str) -> Sequence[Finding]:
    """Verify one token as `rendercast serve` would, and return one finding: who the user is, or why it is rejected."""
    group = CheckGroup(settings, Role.SERVE)
    text = text.strip()
    token = text[len(PREFIX) :].strip() if text.lower().startswith(PREFIX) else text

    async def check() -> str:
        if not token or len(token) > MAX_TOKEN_LENGTH:
            raise StartupError(f"A token has 1 to {MAX_TOKEN_LENGTH} characters; {len(token)} were given.")
        async with open_verifier(settings.auth) as verifier:
            identity = await _identify(verifier, token)
        if isinstance(identity, StartupError):
            raise identity
        role = "an operator" if identity.caller.is_operator else "no operator"
        return f"The token is valid until {identity.expires_at}. Its user is {identity.caller.id!r}, {role}."

    await group.check("token", check)
    return group.findings


async def _identify(verifier: TokenVerifier, token: str) -> Identity | StartupError:
    """Return the user's identity, or the error: raised, it would leave the verifier as an `ExceptionGroup`."""
    try:
        return (await verifier.examine(token)).identity
    except TokenRejected as rejected:
        return StartupError(f"The token is rejected: {rejected}.")
    except IssuerUnavailable:
        return StartupError("The issuer's keys can't be read: run `rendercast doctor --role serve`.")
