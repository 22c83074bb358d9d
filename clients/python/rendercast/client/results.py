"""What the methods of the clients return. All of it is immutable; times are in UTC.

`raw` is the whole object from the response, with the names of the GraphQL schema.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rendercast.client.reading import Json

RenderStatus = Literal["QUEUED", "RENDERING", "COMPLETE", "FAILED", "CANCELLED"]
RenderPhase = Literal["LAUNCHING", "RENDERING_FRAMES", "ENCODING", "COMBINING"]
AnimationStyle = Literal["FADE_IN", "TYPEWRITER", "SLIDE_UP", "SCALE"]
OutputFormat = Literal["H264", "H265", "VP8", "VP9", "PRORES", "GIF", "MP3", "AAC", "WAV", "PNG", "JPEG", "WEBP", "PDF"]
OutputKind = Literal["VIDEO", "GIF", "AUDIO", "STILL"]
CompositionKind = Literal["VIDEO", "STILL"]

FINAL_STATUSES = frozenset({"COMPLETE", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationProps:
    """The animation of a text. The font size is in pixels of the video; colours are in CSS notation."""

    text: str
    style: AnimationStyle
    font_family: str
    font_size: float
    font_weight: int
    italic: bool
    color: str
    background_color: str | None
    duration_in_frames: int
    fps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOutput:
    """The requested output. `file_name` is the server's name for the file. Sizes are in pixels, None if unknown."""

    format: OutputFormat
    kind: OutputKind
    content_type: str
    file_name: str
    width: int | None
    height: int | None
    fps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFailure:
    """Why a render failed. `retryable` is whether `retry` is likely to succeed."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """A state of a render. Of two states, the one with the higher `revision` is newer.

    `progress` is in percent, 100 only when COMPLETE. `animation_props` is None for another composition than the text
    animation. URLs are signed and need no token. They are None unless the render is COMPLETE; that of the preview,
    unless it is RENDERING.
    """

    id: str
    revision: int
    status: RenderStatus
    phase: RenderPhase | None
    progress: int
    frames_rendered: int
    total_frames: int
    estimated_completion_at: datetime | None
    animation_props: AnimationProps | None
    composition_id: str
    generation_id: str | None
    batch_id: str | None
    output: RenderOutput
    attempt: int
    cancel_requested: bool
    warnings: tuple[str, ...]
    error: RenderFailure | None
    output_url: str | None
    output_url_expires_at: datetime | None
    output_size_bytes: int | None
    poster_url: str | None
    poster_url_expires_at: datetime | None
    preview_url: str | None
    cost_usd: float | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    queue_position: int | None = None
    raw: Json = field(repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether the status is final: COMPLETE, FAILED or CANCELLED."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderQuota:
    """`remaining` of `limit` renders can be started until `resets_at`, which is in `resets_in_seconds`."""

    limit: int
    remaining: int
    window_seconds: int
    resets_at: datetime
    resets_in_seconds: int
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadUrl:
    """A signed URL of an output, valid until `expires_at`. It needs no token."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The renders of a call of `batch`, in the order of its input. Earlier calls had started `duplicates` of them."""

    batch_id: str
    renders: tuple[Render, ...]
    duplicates: int
    quota: RenderQuota


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How many renders of a batch have which status. `percent` is their mean progress."""

    batch_id: str
    total: int
    queued: int
    rendering: int
    complete: int
    failed: int
    cancelled: int
    percent: int
    has_ended: bool
    estimated_completion_at: datetime | None
    raw: Json = field(repr=False, compare=False)

    @property
    def ended(self) -> int:
        """The number of renders that have ended."""
        return self.complete + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCancellation:
    """`cancelled` queued renders are cancelled; `stopping` running ones will be within about a second."""

    cancelled: int
    stopping: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionInfo:
    """Something that the server can render. `props_schema` is the JSON Schema of its props; None if it has none."""

    id: str
    kind: CompositionKind
    width: int
    height: int
    fps: float
    duration_in_frames: int
    outputs: tuple[OutputFormat, ...]
    default_props: Json
    props_schema: Json | None
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """A problem of one field of an animation, such as `fontSize`."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPathProblem:
    """A problem at one place of the input: `path` is a JSON Pointer, such as `/composition/props/title`."""

    path: str
    message: str
