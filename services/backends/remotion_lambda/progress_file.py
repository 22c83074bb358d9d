"""The progress file that the function writes to S3 for each render."""

from datetime import timedelta
from typing import Self

from pydantic import OnErrorOmit

from services.backends.remotion_lambda.function import Function
from services.backends.remotion_lambda.responses import (
    Count,
    Number,
    PostRenderData,
    RemotionError,
    RenderMetadata,
    Timestamp,
    Timing,
    WireModel,
    last_object,
)


class ProgressFile(WireModel):
    """A render's `progress.json`. It exists before the response to a start, and is written at most every 250 ms."""

    chunks: tuple[OnErrorOmit[Count], ...] = ()
    frames_rendered: Count = 0
    frames_encoded: Count = 0
    combined_frames: Count = 0
    time_to_combine: Number | None = None
    lambdas_invoked: Count = 0
    timings: tuple[OnErrorOmit[Timing], ...] = ()
    errors: tuple[OnErrorOmit[RemotionError], ...] = ()
    render_metadata: RenderMetadata | None = None
    post_render_data: PostRenderData | None = None
    fatal_error_timestamp: Timestamp | None = None
    timeout_timestamp: Timestamp | None = None
    function_launched: Timestamp | None = None
    serve_url_opened: Timestamp | None = None
    composition_validated: Timestamp | None = None

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Parse a file. Raises `ValueError` if it is not a JSON object; single invalid values count as absent."""
        return cls.model_validate(last_object(body))

    @property
    def total_frames(self) -> int | None:
        """The number of frames to render; None if it is not known yet."""
        return self.render_metadata.total_frames if self.render_metadata else None

    @property
    def has_all_chunks(self) -> bool:
        """Whether every chunk of the video has been rendered."""
        total = self.render_metadata.total_chunks if self.render_metadata else None
        return total is not None and len({chunk for chunk in self.chunks if 0 <= chunk < total}) == total

    @property
    def is_combined(self) -> bool:
        """Whether all frames are in the video.

        The official client requires twice as many chunks if there is sound, which the function never writes.
        """
        total = self.total_frames
        return total is not None and self.combined_frames >= total and self.time_to_combine is not None

    @property
    def was_launched(self) -> bool:
        """Whether Lambda has run the main function, which first opens the site. It is invoked asynchronously."""
        seen = (self.serve_url_opened, self.composition_validated, self.render_metadata)
        return any(value is not None for value in seen)

    def started_ms(self, function: Function) -> float | None:
        """Return when the main function was started, from the first of three values that is present."""
        if self.render_metadata is not None and self.render_metadata.started_date is not None:
            return self.render_metadata.started_date
        if self.function_launched is not None or self.timeout_timestamp is None:
            return self.function_launched
        return self.timeout_timestamp - function.timeout / timedelta(milliseconds=1)
