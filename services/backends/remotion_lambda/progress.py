"""Derives a render's status from its progress file in S3, as Remotion's own client 4.0.527 does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.backends.remotion_lambda.function import Function, parse_function_name
from services.backends.remotion_lambda.prices import estimate_cost_usd, in_usd
from services.backends.remotion_lambda.progress_file import ProgressFile
from services.backends.remotion_lambda.responses import (
    MAX_TIMESTAMP_MS,
    PostRenderData,
    RemotionError,
    RenderMetadata,
    StatusResponse,
)
from services.models import RenderPhase

GRACE_MS = 20_000  # after a function's timeout, for delays of S3 and differences between clocks
OVERHEAD_PER_CHUNK_MS = 100
MIN_WORK_TO_EXTRAPOLATE = 0.1
UNCHANGED_MS = 5_000  # the function writes every 250 ms while it combines chunks

# The phases' shares of the overall progress.
LAUNCHING = 0.1
INVOKING = 0.1
RENDERING = 0.6
ENCODING = 0.1
COMBINING = 0.1
WORK = RENDERING + ENCODING + COMBINING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIMEOUT_MESSAGE = "The main function timed out"  # errors of the browser have the same name, TimeoutError


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A render's status at one time. `overall` is 0.0 to 1.0; like the counts, it may decrease between two snapshots.

    If `done`, the function has recorded that the video is stored. If `fatal`, the render has failed, because of
    `fatal_error` or because it `timed_out`. Timed out renders of which Lambda has not run any code are `unlaunched`.
    If `may_have_output`, the video may be stored although the function has not recorded that. `cost_usd` is None if
    the prices are unknown or in another currency. `size` is the output's in pixels, and `total_frames` its number of
    frames; None while they are unknown.
    """

    overall: float
    done: bool
    fatal: bool
    timed_out: bool
    unlaunched: bool
    fatal_error: RemotionError | None
    may_have_output: bool
    phase: RenderPhase
    frames_rendered: int
    output_size_bytes: int | None
    billed_ms: int | None
    cost_usd: float | None
    estimated_completion_at: datetime | None
    total_frames: int | None = None
    size: tuple[int, int] | None = None


def derive(
    file: ProgressFile, *, function: Function, region: str, now: datetime, written_at: datetime | None = None
) -> Snapshot:
    """Return the render's status at the time `now`.

    Cost and estimated completion, which depend on the time, are computed as of `written_at` if it is given, the time
    at which this content was written or first read: then an unchanged file gives the same snapshot until it times out.
    Unlike in the official client, a launch that has not loaded the composition before its timeout counts as failed.
    """
    if file.post_render_data is not None:
        return _finished(file, file.post_render_data, region)
    now_ms = _to_ms(now)
    as_of_ms = now_ms if written_at is None else _to_ms(written_at)
    fatal_error = _first_fatal(file.errors)
    timed_out = _timed_out(file, function, now_ms)
    ended = timed_out or fatal_error is not None
    work = _work(file.frames_rendered, file.frames_encoded, file.combined_frames, file.total_frames)
    billed_ms = _billed_ms(file, function, as_of_ms)
    return Snapshot(
        overall=_overall(file, work),
        done=False,
        fatal=ended,
        timed_out=timed_out,
        unlaunched=timed_out and not file.was_launched,
        fatal_error=fatal_error,
        may_have_output=file.has_all_chunks and (file.is_combined or now_ms - as_of_ms >= UNCHANGED_MS),
        phase=_phase(file.frames_rendered, file.frames_encoded, file.total_frames),
        frames_rendered=int(file.frames_rendered),
        output_size_bytes=None,
        billed_ms=None if billed_ms is None else round(billed_ms),
        cost_usd=estimate_cost_usd(
            region=region,
            memory_mb=_renderer_memory_mb(file.render_metadata, function),
            billed_ms=billed_ms or 0,
            invocations=0 if billed_ms is None else file.lambdas_invoked,
        ),
        estimated_completion_at=None
        if ended
        else _extrapolate(work, since_ms=_work_started(file, function), now_ms=as_of_ms),
        total_frames=file.total_frames,
        size=_size(file.render_metadata),
    )


def from_status(status: StatusResponse, *, region: str) -> Snapshot:
    """Return the snapshot for a status response of the function, which applies no timeout to a launch."""
    metadata, encoding = status.render_metadata, status.encoding_status
    total = metadata.total_frames if metadata else None
    since_ms = status.composition_validated or (metadata.started_date if metadata else None)
    work = _work(status.frames_rendered, encoding.frames_encoded, encoding.combined_frames, total)
    late = not status.done and metadata is None and _is_past(status.timeout_timestamp, status.current_time)
    timed_out = late or (not status.done and any(_is_timeout(error) for error in status.errors))
    fatal = not status.done and (late or status.fatal_error_encountered)
    opened = status.serve_url_opened is not None or status.composition_validated is not None
    own_errors = [error for error in status.errors if not _is_timeout(error)]
    return Snapshot(
        overall=1.0 if status.done else _clamp(status.overall_progress),
        done=status.done,
        fatal=fatal,
        timed_out=timed_out,
        unlaunched=late and not opened,
        fatal_error=None if status.done else _first_fatal(own_errors),
        may_have_output=bool(metadata and metadata.total_chunks and status.chunks >= metadata.total_chunks),
        phase=RenderPhase.COMBINING if status.done else _phase(status.frames_rendered, encoding.frames_encoded, total),
        frames_rendered=int(status.frames_rendered),
        output_size_bytes=_whole(status.output_size_in_bytes),
        billed_ms=_whole(status.estimated_billing_duration_in_milliseconds),
        cost_usd=in_usd(status.costs.accrued_so_far, status.costs.currency, region),
        estimated_completion_at=None
        if status.done or fatal
        else _extrapolate(work, since_ms=since_ms, now_ms=status.current_time),
        total_frames=total,
        size=_size(metadata),
    )


def _finished(file: ProgressFile, data: PostRenderData, region: str) -> Snapshot:
    return Snapshot(
        overall=1.0,
        done=True,
        fatal=False,
        timed_out=False,
        unlaunched=False,
        fatal_error=None,
        may_have_output=True,
        phase=RenderPhase.COMBINING,
        frames_rendered=int(file.frames_rendered) if file.total_frames is None else file.total_frames,
        output_size_bytes=_whole(data.output_size),
        billed_ms=_whole(data.estimated_billing_duration_in_milliseconds),
        cost_usd=in_usd(data.cost.estimated_cost, data.cost.currency, region) if data.cost else None,
        estimated_completion_at=None,
        total_frames=file.total_frames,
        size=_size(file.render_metadata),
    )


def _overall(file: ProgressFile, work: float) -> float:
    launch = (file.lambdas_invoked > 0, bool(file.serve_url_opened), bool(file.composition_validated))
    launched = sum(launch) / len(launch) * LAUNCHING
    metadata = file.render_metadata
    if metadata is None:
        return launched
    expected = metadata.estimated_render_lambda_invokations
    invoked = file.lambdas_invoked / expected if expected else float(file.lambdas_invoked > 0)
    return _clamp(launched + invoked * INVOKING + work * WORK)


def _work(rendered: float, encoded: float, combined: float, total: int | None) -> float:
    """Return the completed share of rendering, encoding and combining; above 1 if the counts exceed the total."""
    if not total:
        return 0.0
    return (rendered * RENDERING + encoded * ENCODING + combined * COMBINING) / total / WORK


def _phase(rendered: float, encoded: float, total: int | None) -> RenderPhase:
    if not rendered:
        return RenderPhase.LAUNCHING
    if total is None or rendered < total:
        return RenderPhase.RENDERING_FRAMES
    return RenderPhase.ENCODING if encoded < total else RenderPhase.COMBINING


def _timed_out(file: ProgressFile, function: Function, now_ms: float) -> bool:
    """Return whether the function must have reached its timeout, which it can't record itself."""
    started_ms, timeout_ms = file.started_ms(function), function.timeout / _MILLISECOND
    if started_ms is None:
        return False
    if file.render_metadata is None:
        return _is_past(file.timeout_timestamp or started_ms + timeout_ms, now_ms)
    return _is_past(started_ms + (2 if file.has_all_chunks else 1) * timeout_ms, now_ms)


def _is_past(timeout_ms: float | None, now_ms: float | None) -> bool:
    return timeout_ms is not None and now_ms is not None and now_ms > timeout_ms + GRACE_MS


def _billed_ms(file: ProgressFile, function: Function, now_ms: float) -> float | None:
    if file.render_metadata is None:
        return None
    until = now_ms if file.fatal_error_timestamp is None else file.fatal_error_timestamp
    started_ms = file.started_ms(function)
    elapsed = 0.0 if started_ms is None else max(0.0, until - started_ms)
    finished = sum(max(0.0, timing.rendered - timing.start) + OVERHEAD_PER_CHUNK_MS for timing in file.timings)
    return finished + max(0, file.lambdas_invoked - len(file.timings)) * elapsed


def _renderer_memory_mb(metadata: RenderMetadata | None, function: Function) -> int:
    """Return the memory of the functions that render, which may differ from the one that was invoked."""
    renderer = parse_function_name(metadata.renderer_function_name) if metadata else None
    return (renderer or function).memory_mb


def _work_started(file: ProgressFile, function: Function) -> float | None:
    if file.composition_validated or file.render_metadata is None:
        return file.composition_validated
    return file.started_ms(function)


def _extrapolate(work: float, *, since_ms: float | None, now_ms: float | None) -> datetime | None:
    """Return the completion time at the current rate, to the second; None while too little work is done."""
    if since_ms is None or now_ms is None or now_ms <= since_ms or work < MIN_WORK_TO_EXTRAPOLATE:
        return None
    end_ms = min(since_ms + (now_ms - since_ms) / min(work, 1.0), MAX_TIMESTAMP_MS - 1000)  # may be rounded up
    return _EPOCH + timedelta(seconds=round(end_ms / 1000))


def _first_fatal(errors: Sequence[RemotionError]) -> RemotionError | None:
    return next((error for error in errors if error.ends_render), None)


def _is_timeout(error: RemotionError) -> bool:
    return error.message.startswith(_TIMEOUT_MESSAGE)


def _size(metadata: RenderMetadata | None) -> tuple[int, int] | None:
    """Return width and height, which are fractions if the scale makes them so; encoders round them."""
    if metadata is None or metadata.dimensions is None:
        return None
    return round(metadata.dimensions.width), round(metadata.dimensions.height)


def _clamp(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _whole(value: float | None) -> int | None:
    return None if value is None else max(0, round(value))


def _to_ms(time: datetime) -> float:
    return (time - _EPOCH) / _MILLISECOND
