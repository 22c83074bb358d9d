"""The GraphQL types of the quota and of the limits of renders."""

from datetime import datetime

import strawberry

from schema.scalars import BigInt
from services import models


@strawberry.type(description="Your quota of renders. Reading it uses none of it.")
class RenderQuota:
    limit: int = strawberry.field(description="Number of renders per window.")
    remaining: int = strawberry.field(description="Number of renders you can still start before `resetsAt`.")
    window_seconds: int = strawberry.field(description="Length of the window in seconds.")
    resets_at: datetime = strawberry.field(description="When the full quota is available again.")
    resets_in_seconds: int = strawberry.field(
        description="Seconds from now until `resetsAt`, at least 1. A countdown from it needs no correct clock."
    )

    @classmethod
    def from_model(cls, quota: models.Quota) -> "RenderQuota":
        """Return the GraphQL object of a caller's quota."""
        return cls(
            limit=quota.limit,
            remaining=quota.remaining,
            window_seconds=int(quota.window.total_seconds()),
            resets_at=quota.resets_at,
            resets_in_seconds=quota.resets_in_s,
        )


@strawberry.type(description="The values that `startRender` accepts, for validation in forms.")
class RenderLimits:
    max_duration_seconds: int = strawberry.field(description="Maximum length of a video, GIF or audio file in seconds.")
    max_duration_in_frames: int = strawberry.field(description="Maximum `durationInFrames`.")
    fps: int = strawberry.field(description="The only accepted `fps`.")
    max_text_length: int = strawberry.field(description="Maximum length of `text` in Unicode code points.")
    min_font_size: float = strawberry.field(description="Minimum `fontSize`.")
    max_font_size: float = strawberry.field(description="Maximum `fontSize`.")
    max_pixels: BigInt = strawberry.field(description="Maximum width times height times frames of an output.")
    max_props_bytes: int = strawberry.field(description="Maximum size of `composition.props` in bytes of JSON.")
