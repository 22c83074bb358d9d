"""The domain's values: renders, animations, quotas, callers. All are immutable, and nothing here does I/O.

Values that are stored as documents and read frequently are msgspec structs, which are constructed in half the time of a
dataclass. `gc=False` excludes them from garbage collection: they can't be part of a reference cycle.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from services.failure_codes import returns_quota
from services.media import Media, OutputOptions
from services.models.callers import Caller as Caller  # re-exported
from services.models.callers import Identity as Identity
from services.models.compositions import Catalog as Catalog
from services.models.compositions import Composition as Composition
from services.models.compositions import CompositionKind as CompositionKind

if TYPE_CHECKING:
    from dataclasses import replace as replace  # mypy checks the field names and types of this one
else:
    from msgspec.structs import replace  # noqa: F401  # re-exported


class RenderStatus(StrEnum):
    """Status of a render. The last three are terminal: a render with one of them never changes again."""

    QUEUED = "queued"
    RENDERING = "rendering"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a render with this status never changes again."""
        return self in TERMINAL


TEXT_ANIMATION = "TextAnimation"  # id of the composition that takes `AnimationProps`

REGULAR_WEIGHT = 400  # of a font

TERMINAL = frozenset({RenderStatus.COMPLETE, RenderStatus.FAILED, RenderStatus.CANCELLED})


class RenderPhase(StrEnum):
    """Phases of a RENDERING render, in this order. Short renders may skip some."""

    LAUNCHING = "launching"
    RENDERING_FRAMES = "rendering-frames"
    ENCODING = "encoding"
    COMBINING = "combining"


class WebhookStatus(StrEnum):
    """Status of a webhook message. FAILED messages are sent again only on an operator's request."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class AnimationStyle(StrEnum):
    """How the text appears. The values are those that the Remotion composition expects in its input."""

    FADE_IN = "fade-in"
    TYPEWRITER = "typewriter"
    SLIDE_UP = "slide-up"
    SCALE = "scale"


class AnimationProps(Struct, frozen=True, kw_only=True, gc=False):
    """The animation to render. The font size is in pixels of the video, colours are in CSS notation.

    `font_weight` is 100 to 900; documents before version 4 have none.
    """

    text: str
    style: AnimationStyle
    font_family: str
    font_size: float
    color: str
    background_color: str | None
    duration_in_frames: int
    fps: int
    font_weight: int = REGULAR_WEIGHT
    italic: bool = False


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """Why a render FAILED: a stable code, a message for its owner, and whether a retry may succeed.

    `detail` is the renderer's own message. It is stored for the operator and never sent to clients.
    """

    code: str
    message: str
    retryable: bool
    detail: str | None = None


class Output(Struct, frozen=True, kw_only=True, gc=False):
    """Location of a COMPLETE render's file. URLs are signed from it when requested, and never stored.

    `poster_key` is the key of the poster, a JPEG of the last frame, in the same bucket; None if there is none.
    """

    bucket: str
    key: str
    size_bytes: int
    poster_key: str | None = None


class Render(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One render with its complete state. Only the functions in `services.renders.lifecycle` change it.

    `revision` increases by one with each change. `progress` is a whole percentage that never decreases and is 100 only
    when COMPLETE. `started_at` is set as soon as the backend may have started an attempt; a render that ends without it
    uses no quota (see `returns_quota`). `interruptions` counts the attempts that ended because their process ended, and
    `busy_attempts` those that failed because the backend was at capacity, `rejected_starts` the starts that the backend
    rejected. `earlier_cost_usd` is the cost of all attempts before the current one, `earlier_backend_render_ids` are
    the backend's ids of those, where known. No worker may acquire the render before `due_at`. `running_s` is the
    running time of the current attempt in seconds, as of the last recorded change (see `services.clock`). `traceparent`
    is the trace context of the start, as defined by W3C Trace Context, if it was traced.

    A render started with `animationProps` has `props`; one started with a composition has `input_props`, the JSON text
    of an object, and `props` only if the composition is the text renderer's. `media` is the expected size and length of
    the output, and then the one that the backend has reported; documents before version 3 have none. `preview_frame` is
    the number of frames that were drawn when the newest stored preview was made; None unless RENDERING with a preview.

    Fields that are equal to their default are not encoded, which halves the document: never change a default.
    """

    id: str
    owner: str
    created_at: datetime
    composition_id: str = TEXT_ANIMATION
    props: AnimationProps | None = None
    input_props: str | None = None
    output_options: OutputOptions = OutputOptions()
    media: Media | None = None
    revision: int = 1
    status: RenderStatus = RenderStatus.QUEUED
    phase: RenderPhase | None = None
    progress: int = 0
    frames_rendered: int = 0
    preview_frame: int | None = None
    estimated_completion_at: datetime | None = None
    generation_id: str | None = None
    batch_id: str | None = None
    idempotency_key: str | None = None
    attempt: int = 0
    interruptions: int = 0
    busy_attempts: int = 0
    rejected_starts: int = field(default=0, name="refusals")
    cancel_requested: bool = False
    backend_render_id: str | None = None
    earlier_backend_render_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    output: Output | None = None
    cost_usd: float | None = None
    earlier_cost_usd: float | None = None
    due_at: datetime | None = None
    running_s: float = 0.0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    traceparent: str | None = None

    @property
    def total_frames(self) -> int:
        """Number of frames of the finished output, as far as known; 0 if it is not."""
        if self.media is not None:
            return self.media.frames
        return 0 if self.props is None else self.props.duration_in_frames

    @property
    def was_never_started(self) -> bool:
        """Whether it has ended and no attempt was ever started."""
        return self.status.is_terminal and self.started_at is None

    @property
    def returns_quota(self) -> bool:
        """Whether its unit of quota is returned: no attempt was ever started, or the kind of failure returns it."""
        is_returned = self.failure is not None and returns_quota(self.failure.code)
        return self.was_never_started or (self.status.is_terminal and is_returned)


class DeletedRender(Struct, frozen=True, kw_only=True, gc=False):
    """A render that was deleted, as reported to subscribers."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFilter:
    """Which renders to list: the caller's own unless `all_users`. A condition that is None matches all."""

    statuses: frozenset[RenderStatus] | None = None
    generation_id: str | None = None
    batch_id: str | None = None
    composition_id: str | None = None
    all_users: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaWindow:
    """One fixed window of one owner's quota: `limit` renders from `starts_at` until `starts_at + length`."""

    owner: str
    limit: int
    starts_at: datetime
    length: timedelta

    @property
    def ends_at(self) -> datetime:
        """When the next window starts, with the full quota."""
        return self.starts_at + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A caller's quota in the current window. `resets_in_s` is the time until `resets_at` in seconds, at least 1."""

    limit: int
    remaining: int
    window: timedelta
    resets_at: datetime
    resets_in_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A signed URL of an output or its poster, and its expiry."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPage:
    """A page of the matching renders, newest first: of one owner, or of all users if `owner` is None.

    `after` and `before` are the ids of renders that it is between. Whether there are renders beyond those is None if it
    has not been read.
    """

    owner: str | None
    matching: RenderFilter
    renders: tuple[Render, ...]
    after: str | None
    before: str | None
    has_next: bool | None
    has_previous: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartResult:
    """Result of a start: the render, the quota after it, and whether an earlier call had started the render."""

    render: Render
    quota: Quota
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAllResult:
    """Result of a start of several renders, in their order, and how many of them earlier calls had started."""

    renders: tuple[Render, ...]
    quota: Quota
    duplicates: int
