"""The enums. Their values are the domain's own members, so that either converts to the other."""

from enum import Enum

import strawberry

from services import models


@strawberry.enum(description="Where a render is in its life. COMPLETE, FAILED and CANCELLED are final.")
class RenderStatus(Enum):
    QUEUED = strawberry.enum_value(
        models.RenderStatus.QUEUED,
        description="Waiting to be taken by a worker. Also while it waits to be tried again after a fault.",
    )
    RENDERING = strawberry.enum_value(models.RenderStatus.RENDERING, description="A worker is rendering it.")
    COMPLETE = strawberry.enum_value(
        models.RenderStatus.COMPLETE, description="The video is ready: see `outputUrl`. Final."
    )
    FAILED = strawberry.enum_value(
        models.RenderStatus.FAILED, description="It ended without a video: see `error`. Final; `retryRender` can help."
    )
    CANCELLED = strawberry.enum_value(models.RenderStatus.CANCELLED, description="It was cancelled. Final.")


@strawberry.enum(description="What a RENDERING render is doing. Short renders may skip a phase.")
class RenderPhase(Enum):
    LAUNCHING = strawberry.enum_value(models.RenderPhase.LAUNCHING, description="The renderer is starting.")
    RENDERING_FRAMES = strawberry.enum_value(models.RenderPhase.RENDERING_FRAMES, description="Frames are being drawn.")
    ENCODING = strawberry.enum_value(models.RenderPhase.ENCODING, description="The last frames are being encoded.")
    COMBINING = strawberry.enum_value(models.RenderPhase.COMBINING, description="Parts are being put together.")


@strawberry.enum(description="How the text appears.")
class AnimationStyle(Enum):
    FADE_IN = strawberry.enum_value(models.AnimationStyle.FADE_IN, description="The text fades in where it stands.")
    TYPEWRITER = strawberry.enum_value(
        models.AnimationStyle.TYPEWRITER, description="The text appears character by character."
    )
    SLIDE_UP = strawberry.enum_value(models.AnimationStyle.SLIDE_UP, description="The text rises into its place.")
    SCALE = strawberry.enum_value(models.AnimationStyle.SCALE, description="The text grows into its place.")
