"""How a part of a deployment is looked at: a check at a time, each within a limit, and what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from commands.client.options import Role
from services.errors import RendercastError
from services.settings import Settings

LIMIT_S = 40.0  # of a check; a call of the function may take 30 s


class Result(StrEnum):
    """What comes of a check."""

    OK = "OK"
    WRONG = "WRONG"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one check, as a sentence: what to mend if it is WRONG."""

    check: str
    result: Result
    sentence: str


class NotNeeded(Exception):  # noqa: N818  # named for what it says
    """The check makes no sense here; the message says why."""


class Examination:
    """The checks of one part of a deployment, one after the other."""

    def __init__(self, settings: Settings, role: Role | None) -> None:
        self.settings = settings
        self.role = role
        self.findings: list[Finding] = []

    @property
    def is_embedded(self) -> bool:
        """Whether this is `rendercast dev`, as far as can be told."""
        return self.role is Role.DEV or (self.role is None and self.settings.storage.mongodb_url is None)

    @property
    def renderer(self) -> str:
        """What renders."""
        return self.settings.renderer.renderer or ("text" if self.is_embedded else "lambda")

    def is_for(self, *roles: Role) -> bool:
        """Return whether one of these is to run, or all."""
        return self.role is None or self.role in roles

    async def check(self, name: str, looking: Callable[[], Awaitable[str]], *dependants: str) -> bool:
        """Note what is found, and return whether that is well. If not, these dependants are skipped."""
        result = Result.WRONG
        try:
            async with asyncio.timeout(LIMIT_S):
                result, sentence = Result.OK, await looking()
        except NotNeeded as reason:
            result, sentence = Result.SKIPPED, str(reason)
        except RendercastError as error:
            result, sentence = Result.WRONG, str(error)
        except TimeoutError:
            result, sentence = Result.WRONG, f"There was no answer within {LIMIT_S:g} s."
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
            result, sentence = Result.WRONG, f"{type(error).__name__}: {error}"
        self.findings.append(Finding(check=name, result=result, sentence=sentence))
        if result is not Result.OK:
            why = sentence if result is Result.SKIPPED else f"{name} must be well first."
            self.findings += [Finding(check=each, result=Result.SKIPPED, sentence=why) for each in dependants]
        return result is Result.OK
