"""The limits on the duration and the number of pixels of an output."""

from dataclasses import dataclass

from services.media import Media
from services.models import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """The limits of this deployment. `max_pixels` is the limit of width times height times frames."""

    max_duration_s: int
    max_pixels: int

    def failure(self, media: Media) -> Failure | None:
        """Return the failure of a render whose output exceeds a limit; None if it is within the limits."""
        if self.is_too_long(media):
            return Failure(code="DURATION_EXCEEDED", message=self.too_long, retryable=False)
        if self.is_too_large(media):
            return Failure(code="OUTPUT_TOO_LARGE", message=self.too_large, retryable=False)
        return None

    def is_too_long(self, media: Media) -> bool:
        """Return whether the output is longer than the limit, by more than half a frame."""
        return media.frames > self.max_duration_s * media.fps + 0.5

    def is_too_large(self, media: Media) -> bool:
        """Return whether the output is known to have more pixels than the limit."""
        return (media.width or 0) * (media.height or 0) * media.frames > self.max_pixels

    @property
    def too_long(self) -> str:
        """The message for an output that is too long."""
        return f"Animation too long. Maximum duration is {self.max_duration_s} seconds."

    @property
    def too_large(self) -> str:
        """The message for an output that has too many pixels."""
        return f"Width times height times frames exceeds {self.max_pixels:,}. Choose a smaller size or fewer frames."
