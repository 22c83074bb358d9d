"""Errors of authentication and authorisation: who the caller is, and what this caller may do."""

from services.errors.base import Unavailable, UserError


class Unauthenticated(UserError):
    """The request has no valid credentials."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "Sign in to do this.") -> None:
        super().__init__(message)


class TokenExpired(Unauthenticated):
    """The caller's token was valid and has expired."""

    def __init__(self) -> None:
        super().__init__("Your session has expired. Sign in again.")


class TokenInvalid(Unauthenticated):
    """The caller's token is not valid here. The message gives no reason, which could help an attacker."""

    def __init__(self) -> None:
        super().__init__("Your sign-in is not valid here. Sign in again.")


class NotAllowed(UserError):
    """Only operators may make this request."""

    code = "FORBIDDEN"

    def __init__(self) -> None:
        super().__init__("Only operators can list the renders of all users. Remove `allUsers` to list your own.")


class RenderTokenForbidden(UserError):
    """The caller has a render token, which doesn't permit this."""

    code = "FORBIDDEN"

    def __init__(self) -> None:
        super().__init__("This token is for one render: it can only be used to watch and download that render.")


class RenderTokensNotConfigured(UserError):
    """This deployment has no secret for render tokens. The log names the missing setting."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("This service has no render tokens. Please contact support.")


class IssuerUnavailable(Unavailable):
    """A token can't be verified now: it names an unknown key, and the issuer's keys can't be read."""

    def __init__(self) -> None:
        super().__init__("the issuer's keys could not be read")
