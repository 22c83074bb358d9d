"""Callers: who makes a request, and for how long the authentication is valid."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The authenticated user of a request. `id` is unique across issuers, and the `owner` of the user's renders.

    An operator can read the renders of all users, but change only their own. A caller with a `render_id` has a token
    for that one render of the user, and can only watch and download it. `weight` is the user's share of the queue,
    relative to users with 1.
    """

    id: str
    is_operator: bool = False
    render_id: str | None = None
    weight: float = 1.0

    @property
    def has_user_token(self) -> bool:
        """Whether the token is a user's, not a render token."""
        return self.render_id is None

    def may_read(self, render_id: str) -> bool:
        """Return whether the token permits to read a render with this id, if the user may."""
        return self.render_id in (None, render_id)

    @property
    def limit_key(self) -> str:
        """The key by which limits count the caller: holders of a render token use up none of the owner's."""
        return self.id if self.render_id is None else f"{self.id}\n{self.render_id}"

    @property
    def turn_key(self) -> str:
        """The key of the caller's CPU time: all holders of render tokens of one user count as one caller."""
        return self.id if self.render_id is None else f"{self.id}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The result of authentication: the caller, and when it expires; None means never."""

    caller: Caller
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the authentication has not expired."""
        return self.expires_at is None or now < self.expires_at
