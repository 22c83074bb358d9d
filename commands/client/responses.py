"""The parts of the server's responses that the commands read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commands.client.errors import CommandError

Json = dict[str, Any]

FINAL_STATUSES = frozenset({"COMPLETE", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """A render. `text` is the animation's, None for another composition; `raw` is the whole object from the response.

    `output_format` and `output_kind` are names of GraphQL enums. `file_name` is the server's name for the file.
    """

    id: str
    revision: int
    status: str
    phase: str | None
    progress: int
    frames_rendered: int
    total_frames: int
    queue_position: int | None
    composition_id: str
    text: str | None
    output_format: str
    output_kind: str
    width: int | None
    height: int | None
    file_name: str
    warnings: tuple[str, ...]
    error_code: str | None
    error_message: str | None
    output_url: str | None
    output_size_bytes: int | None
    created_at: datetime
    raw: Json

    @property
    def has_ended(self) -> bool:
        """Whether the status is final."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Something that the server can render. `raw` is the whole object from the response."""

    id: str
    kind: str
    width: int
    height: int
    fps: float
    duration_in_frames: int
    outputs: tuple[str, ...]
    default_props: Json
    has_schema: bool
    raw: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The number of renders that can be started until `resets_at`. `raw` is the whole object from the response."""

    limit: int
    remaining: int
    resets_at: datetime
    raw: Json


def read_render(raw: Json) -> Render:
    """Return the render. Raises `CommandError` if the object is not a render."""
    try:
        error: Mapping[str, Any] = raw["error"] or {}
        animation: Mapping[str, Any] | None = raw["animationProps"]
        output: Mapping[str, Any] = raw["output"]
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
            composition_id=str(raw["compositionId"]),
            text=None if animation is None else str(animation["text"]),
            output_format=str(output["format"]),
            output_kind=str(output["kind"]),
            width=output["width"],
            height=output["height"],
            file_name=str(output["fileName"]),
            warnings=tuple(raw["warnings"]),
            error_code=error.get("code"),
            error_message=error.get("message"),
            output_url=raw["outputUrl"],
            output_size_bytes=None if size is None else int(size),
            created_at=datetime.fromisoformat(raw["createdAt"]),
            raw=raw,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unexpected_response(error) from error


def read_composition(raw: Json) -> Composition:
    """Return the composition. Raises `CommandError` if the object is not a composition."""
    try:
        return Composition(
            id=str(raw["id"]),
            kind=str(raw["kind"]),
            width=int(raw["width"]),
            height=int(raw["height"]),
            fps=float(raw["fps"]),
            duration_in_frames=int(raw["durationInFrames"]),
            outputs=tuple(raw["outputs"]),
            default_props=dict(raw["defaultProps"]),
            has_schema=raw["propsSchema"] is not None,
            raw=raw,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unexpected_response(error) from error


def read_quota(raw: Json) -> Quota:
    """Return the quota. Raises `CommandError` if the object is not a quota."""
    try:
        return Quota(
            limit=int(raw["limit"]),
            remaining=int(raw["remaining"]),
            resets_at=datetime.fromisoformat(raw["resetsAt"]),
            raw=raw,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unexpected_response(error) from error


def unexpected_response(error: Exception) -> CommandError:
    """Return the error for a response that does not match Rendercast's schema."""
    return CommandError(
        f"The server's response has an unexpected format ({type(error).__name__}: {error}). Check its version.",
        code="NOT_UNDERSTOOD",
    )
