"""GraphQL enums. Their values are the members of the enums in `services.models`."""

from enum import Enum

import strawberry

from services import media, models


@strawberry.enum(description="Status of a render. COMPLETE, FAILED and CANCELLED are final.")
class RenderStatus(Enum):
    QUEUED = strawberry.enum_value(
        models.RenderStatus.QUEUED,
        description="Waiting for a worker, for the first time or for another attempt after an error.",
    )
    RENDERING = strawberry.enum_value(models.RenderStatus.RENDERING, description="A worker is rendering the output.")
    COMPLETE = strawberry.enum_value(
        models.RenderStatus.COMPLETE, description="The output is available at `outputUrl`. Final."
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
    COMBINING = strawberry.enum_value(
        models.RenderPhase.COMBINING, description="Parts of the output are joined, or it is stored."
    )


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


@strawberry.enum(description="Whether a composition is animated.")
class CompositionKind(Enum):
    VIDEO = strawberry.enum_value(models.CompositionKind.VIDEO, description="It has several frames.")
    STILL = strawberry.enum_value(models.CompositionKind.STILL, description="It has one frame with the default props.")


@strawberry.enum(description="What an output contains.")
class OutputKind(Enum):
    VIDEO = strawberry.enum_value(media.OutputKind.VIDEO, description="A video file.")
    GIF = strawberry.enum_value(media.OutputKind.GIF, description="An animated GIF.")
    AUDIO = strawberry.enum_value(media.OutputKind.AUDIO, description="The audio of the composition.")
    STILL = strawberry.enum_value(media.OutputKind.STILL, description="One frame as an image or a PDF.")


@strawberry.enum(description="Format of an output.")
class OutputFormat(Enum):
    H264 = strawberry.enum_value(media.OutputFormat.H264, description="Video in MP4, which every player can show.")
    H265 = strawberry.enum_value(
        media.OutputFormat.H265, description="Video in MP4, smaller than H264. Not every browser can show it."
    )
    VP8 = strawberry.enum_value(media.OutputFormat.VP8, description="Video in WebM; it can be transparent.")
    VP9 = strawberry.enum_value(
        media.OutputFormat.VP9, description="Video in WebM, smaller than VP8; it can be transparent."
    )
    PRORES = strawberry.enum_value(
        media.OutputFormat.PRORES, description="Video in MOV for editing; it can be transparent. Large files."
    )
    GIF = strawberry.enum_value(media.OutputFormat.GIF, description="Animated GIF.")
    MP3 = strawberry.enum_value(media.OutputFormat.MP3, description="Audio in MP3.")
    AAC = strawberry.enum_value(media.OutputFormat.AAC, description="Audio in AAC.")
    WAV = strawberry.enum_value(media.OutputFormat.WAV, description="Uncompressed audio.")
    PNG = strawberry.enum_value(media.OutputFormat.PNG, description="Lossless image; it can be transparent.")
    JPEG = strawberry.enum_value(media.OutputFormat.JPEG, description="Lossy image, for photographs.")
    WEBP = strawberry.enum_value(media.OutputFormat.WEBP, description="Image in WebP; it can be transparent.")
    PDF = strawberry.enum_value(media.OutputFormat.PDF, description="PDF with one page.")


@strawberry.enum(description="Format of a video.")
class VideoFormat(Enum):
    H264 = strawberry.enum_value(media.OutputFormat.H264, description="MP4, which every player can show.")
    H265 = strawberry.enum_value(media.OutputFormat.H265, description="MP4, smaller than H264.")
    VP8 = strawberry.enum_value(media.OutputFormat.VP8, description="WebM; it can be transparent.")
    VP9 = strawberry.enum_value(media.OutputFormat.VP9, description="WebM, smaller than VP8; it can be transparent.")
    PRORES = strawberry.enum_value(media.OutputFormat.PRORES, description="MOV for editing; it can be transparent.")


@strawberry.enum(description="Format of an audio file.")
class AudioFormat(Enum):
    MP3 = strawberry.enum_value(media.OutputFormat.MP3, description="MP3.")
    AAC = strawberry.enum_value(media.OutputFormat.AAC, description="AAC.")
    WAV = strawberry.enum_value(media.OutputFormat.WAV, description="Uncompressed audio.")


@strawberry.enum(description="Format of a still.")
class StillFormat(Enum):
    PNG = strawberry.enum_value(media.OutputFormat.PNG, description="Lossless image; it can be transparent.")
    JPEG = strawberry.enum_value(media.OutputFormat.JPEG, description="Lossy image, for photographs.")
    WEBP = strawberry.enum_value(media.OutputFormat.WEBP, description="WebP; it can be transparent.")
    PDF = strawberry.enum_value(media.OutputFormat.PDF, description="PDF with one page.")


@strawberry.enum(description="Profile of ProRes, from the highest bit rate to the lowest.")
class ProResProfile(Enum):
    P4444_XQ = strawberry.enum_value(media.ProResProfile.P4444_XQ, description="4444 XQ; it can be transparent.")
    P4444 = strawberry.enum_value(media.ProResProfile.P4444, description="4444; it can be transparent.")
    HQ = strawberry.enum_value(media.ProResProfile.HQ, description="422 HQ.")
    STANDARD = strawberry.enum_value(media.ProResProfile.STANDARD, description="422.")
    LIGHT = strawberry.enum_value(media.ProResProfile.LIGHT, description="422 LT.")
    PROXY = strawberry.enum_value(media.ProResProfile.PROXY, description="422 Proxy.")
