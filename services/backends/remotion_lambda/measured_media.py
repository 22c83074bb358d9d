"""The real size and length of an output, as far as the function has reported them."""

from services.backends.remotion_lambda.progress import Snapshot
from services.backends.remotion_lambda.responses import RenderMetadata
from services.media import FORMATS, Media, OutputKind
from services.models import Render


def measured_media(render: Render, snapshot: Snapshot) -> Media | None:
    """Return the size and length of a video, GIF or audio file; None if they are unknown."""
    fps = output_fps(render)
    if snapshot.total_frames is None or fps is None:
        return None
    if FORMATS[render.output_options.format].kind is OutputKind.AUDIO:
        return Media(frames=snapshot.total_frames, fps=fps)
    width, height = snapshot.size or (None, None)
    return Media(frames=snapshot.total_frames, fps=fps, width=width, height=height)


def still_media(render: Render, metadata: RenderMetadata | None) -> Media | None:
    """Return the size of a still; None if it is unknown."""
    fps = output_fps(render)
    if metadata is None or metadata.dimensions is None or fps is None:
        return None
    size = metadata.dimensions
    return Media(frames=1, fps=fps, width=round(size.width), height=round(size.height))


def output_fps(render: Render) -> float | None:
    """Return the frame rate of the output, which the function does not report; None if it is unknown."""
    options = render.output_options
    nth = options.every_nth_frame or 1
    if options.fps is not None:
        return options.fps / nth
    if render.media is not None:
        return render.media.fps
    return None if render.props is None else render.props.fps / nth
