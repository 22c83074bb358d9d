"""Renders one job: lays the text out, paints the frames, and encodes them."""

import contextlib
import time
import traceback
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

import msgspec

from services.backends.text.codecs import Codec, codec_of
from services.backends.text.encode_still import encode_still, new_still, write_file
from services.backends.text.encode_video import MAX_GIF_FPS, Encoder
from services.backends.text.font_families import installed_families, with_faces
from services.backends.text.frames import Painter
from services.backends.text.job import Job
from services.backends.text.layout import Layout, lay_out
from services.backends.text.live_preview import LivePreview
from services.backends.text.rest import Group, Rest, RestEncoder, rest_of
from services.backends.text.styles import AT_REST, Pose, Timeline, moves
from services.backends.text.text_warnings import contrast_warnings
from services.media import OutputFormat, OutputKind
from services.renders.output_validation import label

_PROGRESS_INTERVAL_S: Final = 0.1
_DEFAULT_QUALITY: Final = 80  # of a JPEG, as Remotion's; posters have the highest that is not wasteful

Report = Callable[[Mapping[str, object]], None]


def render(job: Job, report: Report) -> int:
    """Render a job, report its progress, and return the size in bytes. Raises `OSError` if it can't be written."""
    # Laid out without the scale, so that lines and glyphs are the same at every scale.
    own_faces = [face for face in job.font_faces if Path(face.path).is_file()]  # the operator may have removed some
    layout = lay_out(
        job.text,
        family=job.font_family,
        size=job.font_size,
        width=job.width,
        height=job.height,
        weight=job.font_weight,
        italic=job.italic,
        families=with_faces(installed_families(), own_faces),
    )
    scene = _Scene(job, layout)
    warnings = (*layout.warnings, *_warnings(job, scene))
    if job.layout_only:
        from services.backends.text.web_layout import web_layout  # noqa: PLC0415  # 6 ms, which videos don't need

        report({"type": "layout", "layout": msgspec.to_builtins(web_layout(job, layout, warnings))})
        return 0
    for warning in warnings:
        report({"type": "warning", "message": warning})
    progress = _Progress(report)
    return _render_still(job, scene, progress) if job.kind is OutputKind.STILL else _render_frames(job, scene, progress)


class _Scene:
    """The text of a job and its pose in each frame of the output."""

    def __init__(self, job: Job, layout: Layout) -> None:
        self.layout = layout.scaled(job.scale)
        self._style = job.style
        self._frames = job.media.frames
        self._step = job.options.every_nth_frame or 1
        self._timeline = Timeline(
            frames=job.frames, fps=job.fps, height=job.media.height or 0, graphemes=layout.grapheme_count
        )
        self._still_frame = (job.options.frame or 0) % job.frames  # negative ones count from the end

    def pose(self, number: int) -> Pose:
        """Return the pose in a frame of a video or GIF."""
        return self._timeline.pose(self._style, number * self._step)

    @property
    def rest_from(self) -> int:
        """The number of the first frame of a video from which on the text is at rest."""
        return bisect_right(range(self._frames), 0, key=lambda number: self.pose(number) == AT_REST)

    @property
    def still_pose(self) -> Pose:
        """The pose in a still."""
        return self._timeline.pose(self._style, self._still_frame)


def _render_frames(job: Job, scene: _Scene, progress: "_Progress") -> int:
    codec = codec_of(job.options, width=job.media.width or 0, has_alpha=job.has_alpha, moves=moves(job.style))
    rest = rest_of(job.media, codec, rest_from=scene.rest_from)
    with ThreadPoolExecutor(max_workers=1) as pool:
        groups = pool.submit(_groups_at_rest, job, scene, rest, codec=codec, progress=progress)
        if not codec.is_small:
            _wait(groups, progress)
        with Encoder(job.output, codec=codec, media=job.media, colors=job.colors) as encoder:
            _add_frames(scene, job.media.frames - rest.frames, encoder=encoder, codec=codec, progress=progress)
            _try_poster(job, scene)
            _wait(groups, progress)
            for group in groups.result():
                encoder.add_group(group)
            size_bytes = encoder.finish()
    progress.count_at_rest(0)
    progress.update(encoder.frames_written, is_last=True)
    return size_bytes


def _groups_at_rest(job: Job, scene: _Scene, rest: Rest, *, codec: Codec, progress: "_Progress") -> Sequence[Group]:
    """Return the groups that the video ends with: the same one repeatedly, or none."""
    if not rest.times:
        return ()
    encoder = RestEncoder(rest, codec=codec, media=job.media, colors=job.colors)
    Painter(encoder.picture, scene.layout).paint(AT_REST)
    group = encoder.encode(lambda frames: progress.count_at_rest(frames * rest.times))
    return (group,) * rest.times


def _add_frames(scene: _Scene, frames: int, *, encoder: Encoder, codec: Codec, progress: "_Progress") -> None:
    """Add the first frames of the video."""
    painter = Painter(encoder.picture, scene.layout)
    preview = LivePreview(progress.report, codec=codec)
    for number in range(frames):
        painter.paint(scene.pose(number))
        encoder.add_frame()
        progress.update(encoder.frames_written)
        preview.update(encoder.picture, number + 1)


def _wait(groups: Future[Sequence[Group]], progress: "_Progress") -> None:
    """Wait for the thread and report its progress meanwhile. Raises what it raised."""
    while not wait((groups,), timeout=_PROGRESS_INTERVAL_S).done:
        progress.update()
    groups.result()


def _render_still(job: Job, scene: _Scene, progress: "_Progress") -> int:
    name, quality = job.options.format, job.options.quality or _DEFAULT_QUALITY
    content = _still(job, scene, name=name, pose=scene.still_pose, has_alpha=job.has_alpha, quality=quality)
    size_bytes = write_file(job.output, content)
    progress.update(1, is_last=True)
    return size_bytes


def _still(
    job: Job, scene: _Scene, *, name: OutputFormat, pose: Pose, has_alpha: bool = False, quality: int | None = None
) -> bytes:
    picture = new_still(name, media=job.media, colors=job.colors, has_alpha=has_alpha)
    Painter(picture, scene.layout).paint(pose)
    return encode_still(name, picture, quality=quality)


def _try_poster(job: Job, scene: _Scene) -> None:
    """Write the poster, which shows the last frame. If that fails, the video is stored without a poster."""
    if job.poster is None:
        return
    try:
        write_file(job.poster, _still(job, scene, name=OutputFormat.JPEG, pose=scene.pose(job.media.frames - 1)))
    except OSError:
        log_traceback()
        with contextlib.suppress(OSError):
            job.poster.unlink(missing_ok=True)


def _warnings(job: Job, scene: _Scene) -> Iterator[str]:
    """Return what of the request the output can't show."""
    name = label(job.options.format)
    if job.options.format is OutputFormat.GIF:
        if job.media.fps > MAX_GIF_FPS:
            yield f"A GIF shows at most {MAX_GIF_FPS} frames per second; this one is played more slowly."
        if job.has_alpha:
            yield "A GIF has no partial transparency; each pixel is either opaque or transparent."
    elif job.colors.background.alpha < 1 and not job.has_alpha:
        yield f"The background is drawn over black, because this {name} output is not transparent."
    if job.colors.background.alpha == 1 or not job.has_alpha:
        yield from contrast_warnings(job.colors)
    if job.kind is OutputKind.STILL and (scene.still_pose.opacity == 0 or scene.still_pose.shown == 0):
        yield "The text is not visible yet in this frame of the animation; the last one is frame -1."


class _Progress:
    """Reports the number of encoded frames: at the first, at the last, and between them every 0.1 s.

    `at_rest` is the number of frames for which a thread has encoded packets, and that are not written yet.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.at_rest = 0
        self._written = 0
        self._reported = 0
        self._due = 0.0

    def count_at_rest(self, frames: int) -> None:
        """Set `at_rest`, in any thread, without a report."""
        self.at_rest = frames

    def update(self, written: int | None = None, *, is_last: bool = False) -> None:
        """Report if it is time to. `written` is the new number of written frames, if it has changed."""
        if written is not None:
            self._written = written
        frames, now = self._written + self.at_rest, time.monotonic()
        if frames == self._reported or (now < self._due and not is_last):
            return
        self._reported, self._due = frames, now + _PROGRESS_INTERVAL_S
        self.report({"type": "progress", "frames": frames})


def log_traceback() -> None:
    """Print the traceback, unless that fails: the log may be on the same full disk."""
    with contextlib.suppress(OSError):
        traceback.print_exc()
