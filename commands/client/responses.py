"""What a server answers, as far as the commands look into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commands.client.errors import CommandError

Json = dict[str, Any]

ENDED = frozenset({"COMPLETE", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """A render as the server describes it; `raw` is all it said."""

    id: str
    revision: int
    status: str
    phase: str | None
    progress: int
    frames_rendered: int
    total_frames: int
    queue_position: int | None
    text: str
    warnings: tuple[str, ...]
    error_code: str | None
    error_message: str | None
    output_url: str | None
    output_size_bytes: int | None
    created_at: datetime
    raw: Json

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many renders can be started until `resets_at`."""

    limit: int
    remaining: int
    resets_at: datetime
    raw: Json


def read_render(raw: Json) -> Render:
    """Return the render. Raises `CommandError` if it isn't one."""
    try:
        error: Mapping[str, Any] = raw["error"] or {}
        size = raw["outputSizeBytes"]
        return Render(
            id=str(raw["id"]),
            revision=int(raw["revision"]),
            status=str(raw["status"]),
            phase=raw["phase"],
            progress=int(raw["progress"]),
            frames_rendered=int(raw["framesRendered"]),
            total_frames=int(raw["totalFrames"]),
            queue_position=raw["queuePosition"],
            text=str(raw["animationProps"]["text"]),
            warnings=tuple(raw["warnings"]),
            error_code=error.get("code"),
            error_message=error.get("message"),
            output_url=raw["outputUrl"],
            output_size_bytes=None if size is None else int(size),
            created_at=datetime.fromisoformat(raw["createdAt"]),
            raw=raw,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise not_understood(error) from error


def read_quota(raw: Json) -> Quota:
    """Return the quota. Raises `CommandError` if it isn't one."""
    try:
        return Quota(
            limit=int(raw["limit"]),
            remaining=int(raw["remaining"]),
            resets_at=datetime.fromisoformat(raw["resetsAt"]),
            raw=raw,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise not_understood(error) from error


def not_understood(error: Exception) -> CommandError:
    """Return what to say of an answer that is none of Rendercast's."""
    return CommandError(
        f"The server's answer is not understood ({type(error).__name__}: {error}). Is it of another version?",
        code="NOT_UNDERSTOOD",
    )
