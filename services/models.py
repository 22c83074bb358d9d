"""What the service talks about: renders, animations, quotas. Plain frozen values; nothing here does I/O.

Those that documents are made of, and that are read all the time, are structs of msgspec, which makes them in half the
time. They are left out of what is looked through for garbage, since nothing that they have could have them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414  # by this one mypy knows names and types of fields
else:
    from msgspec.structs import replace  # noqa: F401  # for all who change a struct


class RenderStatus(StrEnum):
    """Where a render is in its life. The last three are terminal: they never change again."""

    QUEUED = "queued"
    RENDERING = "rendering"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a render with this status never changes again."""
        return self in TERMINAL


TERMINAL = frozenset({RenderStatus.COMPLETE, RenderStatus.FAILED, RenderStatus.CANCELLED})


class RenderPhase(StrEnum):
    """What a RENDERING render is doing, in this order; short renders may skip some."""

    LAUNCHING = "launching"
    RENDERING_FRAMES = "rendering-frames"
    ENCODING = "encoding"
    COMBINING = "combining"


class WebhookStatus(StrEnum):
    """What became of a message; FAILED ones are tried again only when somebody says so."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class AnimationStyle(StrEnum):
    """How the text appears. The values are the composition's own, as they go over the wire."""

    FADE_IN = "fade-in"
    TYPEWRITER = "typewriter"
    SLIDE_UP = "slide-up"
    SCALE = "scale"


class AnimationProps(Struct, frozen=True, kw_only=True, gc=False):
    """What to draw. The font size is in pixels of the video, colours are in CSS notation."""

    text: str
    style: AnimationStyle
    font_family: str
    font_size: float
    color: str
    background_color: str | None
    duration_in_frames: int
    fps: int


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """Why a render FAILED: a stable code, a sentence for its owner, and whether trying again may help.

    `detail` is what the renderer itself said. It is kept for the operator and never shown to clients.
    """

    code: str
    message: str
    retryable: bool
    detail: str | None = None


class Output(Struct, frozen=True, kw_only=True, gc=False):
    """Where a COMPLETE render's video is kept. URLs are signed from this when asked for, and never stored.

    Its poster, in the same bucket, is a picture of its last frame; None if there is none.
    """

    bucket: str
    key: str
    size_bytes: int
    poster_key: str | None = None


class Render(Struct, frozen=True, kw_only=True, gc=False):
    """One render, the whole of its state. `lifecycle` holds the only functions that change one.

    `revision` rises by one with each change. `progress` is a whole percentage that never goes down and is 100
    only when COMPLETE. `started_at` is set as soon as something may have run for it; a render that ends without
    it cost nothing. `interruptions` counts the attempts that ended with a process and not by themselves,
    `busy_attempts` those for which the backend had no room; `earlier_cost_usd` is the part of the cost that attempts
    before the present one made.
    No worker may take it before `due_at`; `deadline_at` ends its present attempt. `traceparent` is where in a trace it
    was started, in the words of W3C Trace Context, if that was traced.
    """

    id: str
    owner: str
    props: AnimationProps
    created_at: datetime
    revision: int = 1
    status: RenderStatus = RenderStatus.QUEUED
    phase: RenderPhase | None = None
    progress: int = 0
    frames_rendered: int = 0
    estimated_completion_at: datetime | None = None
    generation_id: str | None = None
    idempotency_key: str | None = None
    attempt: int = 0
    interruptions: int = 0
    busy_attempts: int = 0
    refusals: int = 0
    cancel_requested: bool = False
    backend_render_id: str | None = None
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    output: Output | None = None
    cost_usd: float | None = None
    earlier_cost_usd: float | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    deadline_at: datetime | None = None
    completed_at: datetime | None = None
    traceparent: str | None = None

    @property
    def total_frames(self) -> int:
        """How many frames the finished video has."""
        return self.props.duration_in_frames

    @property
    def gives_quota_back(self) -> bool:
        """Whether it ended without anything having run for it, so that it costs its owner nothing."""
        return self.status.is_terminal and self.started_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFilter:
    """Which renders to list: the caller's own unless `all_users`. An absent condition admits all."""

    statuses: frozenset[RenderStatus] | None = None
    generation_id: str | None = None
    all_users: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `id` is the owner of what they start, unique over all issuers.

    An operator may read everybody's renders, but change only their own.
    """

    id: str
    is_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaWindow:
    """One fixed window of one owner's quota: `limit` renders from `starts_at` until `starts_at + length`."""

    owner: str
    limit: int
    starts_at: datetime
    length: timedelta

    @property
    def ends_at(self) -> datetime:
        """When the next window begins and the whole quota is there again."""
        return self.starts_at + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a caller may still start in the present window."""

    limit: int
    remaining: int
    window: timedelta
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A signed URL of a video or its poster, and the time at which it stops working."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPage:
    """A page of renders, newest first: of one owner, or of everybody if None."""

    owner: str | None
    renders: tuple[Render, ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartResult:
    """The answer to a start: the render, the quota after it, and whether it is one already started earlier."""

    render: Render
    quota: Quota
    duplicate: bool
