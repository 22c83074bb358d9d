"""GraphQL inputs and types of outputs: what is made of a composition."""

import strawberry

from schema.enums import AudioFormat, OutputFormat, OutputKind, ProResProfile, StillFormat, VideoFormat
from services import media, models
from services.renders.file_names import file_name

WIDTH = "Width in pixels before `scale`. Default: the composition's."
HEIGHT = "Height in pixels before `scale`. Default: the composition's."
SCALE = "Factor of the output's size, above 0, at most 16. Text and shapes stay sharp. Default: 1."


@strawberry.input(description="A video.")
class VideoOutputInput:
    format: VideoFormat = strawberry.field(default=VideoFormat.H264, description="Format of the video.")
    width: int | None = strawberry.field(default=None, description=WIDTH)
    height: int | None = strawberry.field(default=None, description=HEIGHT)
    fps: float | None = strawberry.field(
        default=None, description="Frames per second, 1 to 120. The duration stays. Default: the composition's."
    )
    scale: float | None = strawberry.field(default=None, description=SCALE)
    crf: int | None = strawberry.field(
        default=None,
        description="Constant rate factor: lower is better. Not together with `bitrateKbps`, and not for PRORES.",
    )
    bitrate_kbps: int | None = strawberry.field(
        default=None, description="Bit rate in kbit/s, instead of a constant quality. Not for PRORES."
    )
    transparent: bool = strawberry.field(
        default=False, description="Keep the background transparent. Only for VP8, VP9 and PRORES."
    )
    muted: bool = strawberry.field(default=False, description="Leave the sound out.")
    prores_profile: ProResProfile | None = strawberry.field(
        name="proResProfile",
        default=None,
        description="Profile of PRORES. Default: HQ, or P4444 if the video is transparent.",
    )

    def to_model(self) -> media.OutputOptions:
        """Return the options, not yet validated."""
        return media.OutputOptions(
            format=media.OutputFormat[self.format.name],
            width=self.width,
            height=self.height,
            fps=self.fps,
            scale=self.scale,
            crf=self.crf,
            bitrate_kbps=self.bitrate_kbps,
            transparent=self.transparent,
            muted=self.muted,
            prores_profile=None if self.prores_profile is None else media.ProResProfile[self.prores_profile.name],
        )


@strawberry.input(description="An animated GIF.")
class GifOutputInput:
    width: int | None = strawberry.field(default=None, description=WIDTH)
    height: int | None = strawberry.field(default=None, description=HEIGHT)
    scale: float | None = strawberry.field(default=None, description=SCALE)
    every_nth_frame: int | None = strawberry.field(
        default=None, description="Keep only every nth frame, for smaller files. Default: 1, all frames."
    )
    loops: int | None = strawberry.field(
        default=None, description="How often the animation is repeated after its first run. Default: forever."
    )

    def to_model(self) -> media.OutputOptions:
        """Return the options, not yet validated."""
        return media.OutputOptions(
            format=media.OutputFormat.GIF,
            width=self.width,
            height=self.height,
            scale=self.scale,
            every_nth_frame=self.every_nth_frame,
            loops=self.loops,
        )


@strawberry.input(description="The audio of the composition.")
class AudioOutputInput:
    format: AudioFormat = strawberry.field(default=AudioFormat.MP3, description="Format of the audio file.")
    bitrate_kbps: int | None = strawberry.field(default=None, description="Bit rate in kbit/s. Not for WAV.")

    def to_model(self) -> media.OutputOptions:
        """Return the options, not yet validated."""
        return media.OutputOptions(format=media.OutputFormat[self.format.name], bitrate_kbps=self.bitrate_kbps)


@strawberry.input(description="One frame as an image or a PDF.")
class StillOutputInput:
    format: StillFormat = strawberry.field(default=StillFormat.PNG, description="Format of the file.")
    frame: int | None = strawberry.field(
        default=None,
        description="Index of the frame; negative values count from the end. Default: 0, the first; for an animation "
        "-1, the last.",
    )
    width: int | None = strawberry.field(default=None, description=WIDTH)
    height: int | None = strawberry.field(default=None, description=HEIGHT)
    scale: float | None = strawberry.field(default=None, description=SCALE)
    quality: int | None = strawberry.field(default=None, description="Quality of a JPEG, 1 to 100. Default: 80.")

    def to_model(self) -> media.OutputOptions:
        """Return the options, not yet validated."""
        return media.OutputOptions(
            format=media.OutputFormat[self.format.name],
            frame=self.frame,
            width=self.width,
            height=self.height,
            scale=self.scale,
            quality=self.quality,
        )


@strawberry.input(one_of=True, description="Format and options of the output: exactly one of these.")
class OutputInput:
    video: VideoOutputInput | None = strawberry.field(default=strawberry.UNSET, description="A video.")
    gif: GifOutputInput | None = strawberry.field(default=strawberry.UNSET, description="An animated GIF.")
    audio: AudioOutputInput | None = strawberry.field(default=strawberry.UNSET, description="The audio only.")
    still: StillOutputInput | None = strawberry.field(
        default=strawberry.UNSET, description="One frame as an image or a PDF."
    )

    def to_model(self) -> media.OutputOptions:
        """Return the options of the field that is set, not yet validated."""
        return next(chosen for chosen in (self.video, self.gif, self.audio, self.still) if chosen).to_model()


@strawberry.type(description="The requested format and options of the output. An option that was not chosen is null.")
class RenderOutput:
    format: OutputFormat = strawberry.field(description="Format of the file.")
    kind: OutputKind = strawberry.field(description="What the file contains.")
    content_type: str = strawberry.field(description="Media type of the file, such as `video/mp4`.")
    file_name: str = strawberry.field(description="Name under which browsers save it from `outputUrl(download: true)`.")
    width: int | None = strawberry.field(
        description="Width of the output in pixels; null if unknown or without a size."
    )
    height: int | None = strawberry.field(
        description="Height of the output in pixels; null if unknown or without a size."
    )
    fps: float | None = strawberry.field(description="Frames per second of the output; null if unknown.")
    scale: float | None = strawberry.field(description="Factor of the size.")
    crf: int | None = strawberry.field(description="Constant rate factor.")
    bitrate_kbps: int | None = strawberry.field(description="Bit rate in kbit/s.")
    transparent: bool = strawberry.field(description="Whether the background is transparent.")
    muted: bool = strawberry.field(description="Whether the sound is left out.")
    prores_profile: ProResProfile | None = strawberry.field(name="proResProfile", description="Profile of ProRes.")
    every_nth_frame: int | None = strawberry.field(description="A GIF contains only every nth frame.")
    loops: int | None = strawberry.field(description="How often a GIF is repeated; null if forever.")
    frame: int | None = strawberry.field(description="Index of a still's frame.")
    quality: int | None = strawberry.field(description="Quality of a JPEG.")

    @classmethod
    def from_model(cls, render: models.Render) -> "RenderOutput":
        """Return the GraphQL object of a render's output."""
        options, size = render.output_options, render.media
        row = media.FORMATS[options.format]
        return cls(
            format=OutputFormat(options.format),
            kind=OutputKind(row.kind),
            content_type=row.media_type,
            file_name=file_name(render),
            width=options.width if size is None else size.width,
            height=options.height if size is None else size.height,
            fps=options.fps if size is None else size.fps,
            scale=options.scale,
            crf=options.crf,
            bitrate_kbps=options.bitrate_kbps,
            transparent=options.transparent,
            muted=options.muted,
            prores_profile=None if options.prores_profile is None else ProResProfile(options.prores_profile),
            every_nth_frame=options.every_nth_frame,
            loops=options.loops,
            frame=options.frame,
            quality=options.quality,
        )
