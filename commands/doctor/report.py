"""Runs the checks of one part of a deployment, one after the other with a timeout, and collects their results."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from commands.doctor.role import Role
from services.errors import RendercastError
from services.settings import Settings

CHECK_TIMEOUT_S = 40.0  # per check; an invocation of the function may take 30 s


class Result(StrEnum):
    """The result of a check."""

    OK = "OK"
    WARNING = "WARNING"
    WRONG = "WRONG"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check with a sentence, which says what to fix if the result is WRONG."""

    check: str
    result: Result
    sentence: str


class CheckSkipped(Exception):  # noqa: N818  # not an error
    """The check does not apply; the message says why."""


class CheckWarning(Exception):  # noqa: N818  # not an error
    """Nothing is WRONG, but the message recommends a change."""


class CheckGroup:
    """The checks of one part of a deployment, one after the other."""

    def __init__(self, settings: Settings, role: Role | None) -> None:
        self.settings = settings
        self.role = role
        self.findings: list[Finding] = []

    @property
    def is_embedded(self) -> bool:
        """Whether this is `rendercast dev`; without a role, that is assumed if MONGODB_URL is not set."""
        return self.role is Role.DEV or (self.role is None and self.settings.storage.mongodb_url is None)

    @property
    def renderer(self) -> str:
        """The renderer: `text`, `node` or `lambda`."""
        return self.settings.renderer.renderer or ("text" if self.is_embedded else "lambda")

    def is_for(self, *roles: Role) -> bool:
        """Return whether the checks are for one of these commands, or for all."""
        return self.role is None or self.role in roles

    async def check(self, name: str, run: Callable[[], Awaitable[str]], *dependants: str) -> bool:
        """Run a check, record its finding, and return whether it is OK. If not, the dependants are skipped.

        `run` returns the sentence, or raises `CheckSkipped`, `CheckWarning` or an error.
        """
        result = Result.WRONG
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                result, sentence = Result.OK, await run()
        except CheckSkipped as reason:
            result, sentence = Result.SKIPPED, str(reason)
        except CheckWarning as warning:
            result, sentence = Result.WARNING, str(warning)
        except RendercastError as error:
            result, sentence = Result.WRONG, str(error)
        except TimeoutError:
            result, sentence = Result.WRONG, f"No response within {CHECK_TIMEOUT_S:g} s."
        except Exception as error:  # noqa: BLE001  # any error; the other checks continue
            result, sentence = Result.WRONG, f"{type(error).__name__}: {error}"
        self.findings.append(Finding(check=name, result=result, sentence=sentence))
        if result is not Result.OK:
            why = sentence if result is Result.SKIPPED else f"{name} must be OK first."
            self.findings += [Finding(check=each, result=Result.SKIPPED, sentence=why) for each in dependants]
        return result is Result.OK
