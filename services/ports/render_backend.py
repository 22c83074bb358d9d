"""The contract of a render backend. All backends pass the tests in `tests/services/backends/`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from services.media import Media, OutputFormat, OutputOptions
from services.models import AnimationProps, Composition, Download, Failure, Output, Render, RenderPhase
from services.models.fonts import FontFamily
from services.models.text_layout import TextLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress:
    """The attempt is running. `fraction` is its progress, 0.0 to 1.0. Values may decrease between observations.

    `media` is the real size and length of the output, once the backend knows them. `preview_frame` is the number of
    frames that were drawn when the newest stored preview was made; None if none is stored.
    """

    phase: RenderPhase
    fraction: float
    frames_rendered: int
    estimated_completion_at: datetime | None = None
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()
    media: Media | None = None
    preview_frame: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """The attempt succeeded and its output is stored durably. If the poster could not be created, it has none."""

    output: Output
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()
    media: Media | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """The attempt ended without an output. If `failure.retryable`, another attempt may succeed.

    `busy` means that the backend was at capacity.
    """

    failure: Failure
    busy: bool = False


@dataclass(frozen=True, slots=True)
class AttemptMissing:
    """The backend has no such attempt, and it can't be running."""


Observation = AttemptProgress | AttemptFinished | AttemptFailed | AttemptMissing


@runtime_checkable
class LaysOutTexts(Protocol):
    """A backend that can describe how it draws the text of an animation."""

    async def lay_out(self, props: AnimationProps, options: OutputOptions) -> TextLayout | None:
        """Return the layout of a valid animation; None if its fonts are too large. Raises `BackendUnavailable`."""
        ...


@runtime_checkable
class ListsFonts(Protocol):
    """A backend that draws texts with fonts of its own."""

    async def font_families(self) -> tuple[FontFamily, ...]:
        """Return the families in alphabetical order."""
        ...


@runtime_checkable
class ReportsChanges(Protocol):
    """A backend that calls `on_change` with the id of a render when `observe` should be called at once for it."""

    on_change: Callable[[str], None]


class RenderBackend(Protocol):
    """Renders compositions and stores the outputs. Every method has a time limit of its own."""

    @property
    def site(self) -> str:
        """Name of the set of compositions that this backend renders, such as a URL. Catalogs are stored under it."""
        ...

    @property
    def formats(self) -> frozenset[OutputFormat]:
        """The formats that it can make."""
        ...

    @property
    def capacity(self) -> int:
        """Maximum number of renders that one worker should run concurrently."""
        ...

    @property
    def poll_interval(self) -> timedelta:
        """Time between two calls of `observe` while the progress changes; up to twice that otherwise."""
        ...

    @property
    def animation_composition_id(self) -> str:
        """Id of the composition that draws renders started with `animationProps`. The site may lack it."""
        ...

    async def site_version(self) -> str:
        """Return a text that changes when the compositions change. Raises `BackendUnavailable`."""
        ...

    async def compositions(self) -> tuple[Composition, ...]:
        """Discover the compositions, in the site's order. Raises `BackendUnavailable` if they can't be read."""
        ...

    def time_limit(self, render: Render) -> timedelta:
        """Return the maximum running time of one attempt."""
        ...

    async def start(self, render: Render) -> str:
        """Start an attempt and return the backend's id for it. Not idempotent.

        Raises `StartRejected` if certainly nothing was started and a later call may succeed, `StartImpossible` if
        certainly nothing was started and a later call would not succeed, and `StartUncertain` if an attempt may be
        running.
        """
        ...

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        """Return the state of the render's current attempt. Raises `BackendUnavailable` if it can't be read now.

        With `check_output`, look for the stored output even if the progress does not say that the attempt has ended.
        An attempt without a `backend_render_id` may be running too: the response to its start was lost.
        """
        ...

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Stop the current attempt, so that no later attempt runs beside it.

        Return its output, or that of an earlier attempt, if one is stored. Idempotent. Raises `BackendUnavailable` if
        the request did not reach the backend, or the output could not be looked for.
        """
        ...

    async def abandon(self, render: Render) -> None:
        """Free this process's resources for the attempt, because this worker no longer runs the render.

        Its preview is deleted, possibly after this returns. `delete` in the same process waits for that.
        """
        ...

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of the output that is valid for at most `expires_in`. Does no I/O.

        With `file_name`, browsers save the file under this name instead of showing it. The name consists of ASCII
        letters, digits, hyphens and dots.
        """
        ...

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the poster, a JPEG, as `sign` does; None if there is none."""
        ...

    def sign_preview(self, render: Render, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the newest preview of a running render, a JPEG, as `sign` does; None if there is none.

        The URL differs for each `preview_frame`.
        """
        ...

    async def has_output(self, output: Output) -> bool:
        """Return whether the output is still stored. Raises `BackendUnavailable`."""
        ...

    async def delete(self, render: Render) -> None:
        """Delete all stored files of an ended render. Idempotent. Raises `BackendUnavailable`."""
        ...
