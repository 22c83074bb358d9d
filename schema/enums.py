"""GraphQL enums. Their values are the members of the enums in `services.models`."""

from enum import Enum

import strawberry

from services import models


@strawberry.enum(description="Status of a render. COMPLETE, FAILED and CANCELLED are final.")
class RenderStatus(Enum):
    QUEUED = strawberry.enum_value(
        models.RenderStatus.QUEUED,
        description="Waiting for a worker, for the first time or for another attempt after an error.",
    )
    RENDERING = strawberry.enum_value(models.RenderStatus.RENDERING, description="A worker is rendering the video.")
    COMPLETE = strawberry.enum_value(
        models.RenderStatus.COMPLETE, description="The video is available at `outputUrl`. Final."
    )
    FAILED = strawberry.enum_value(
        models.RenderStatus.FAILED,
        description="Rendering failed; `error` is the reason. Final; `retryRender` starts a new render.",
    )
    CANCELLED = strawberry.enum_value(models.RenderStatus.CANCELLED, description="The render was cancelled. Final.")


@strawberry.enum(description="Phase of a RENDERING render. Short renders may skip phases.")
class RenderPhase(Enum):
    LAUNCHING = strawberry.enum_value(models.RenderPhase.LAUNCHING, description="The renderer is starting.")
    RENDERING_FRAMES = strawberry.enum_value(models.RenderPhase.RENDERING_FRAMES, description="Frames are rendered.")
    ENCODING = strawberry.enum_value(models.RenderPhase.ENCODING, description="The last frames are encoded.")
    COMBINING = strawberry.enum_value(models.RenderPhase.COMBINING, description="Parts of the video are joined.")


@strawberry.enum(description="How the text appears.")
class AnimationStyle(Enum):
    FADE_IN = strawberry.enum_value(
        models.AnimationStyle.FADE_IN, description="The text fades in at its final position."
    )
    TYPEWRITER = strawberry.enum_value(
        models.AnimationStyle.TYPEWRITER, description="The text appears character by character."
    )
    SLIDE_UP = strawberry.enum_value(
        models.AnimationStyle.SLIDE_UP, description="The text slides up to its final position."
    )
    SCALE = strawberry.enum_value(models.AnimationStyle.SCALE, description="The text grows to its final size.")
