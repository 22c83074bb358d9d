"""What is to be rendered, with the names of the GraphQL schema. schema.graphql describes each field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, Required, TypedDict, TypeVar

from rendercast.client.results import AnimationStyle

Props = TypeVar("Props", bound=Mapping[str, object])

VideoFormat = Literal["H264", "H265", "VP8", "VP9", "PRORES"]
AudioFormat = Literal["MP3", "AAC", "WAV"]
StillFormat = Literal["PNG", "JPEG", "WEBP", "PDF"]
ProResProfile = Literal["P4444_XQ", "P4444", "HQ", "STANDARD", "LIGHT", "PROXY"]


class AnimationOptions(TypedDict, total=False):
    """How a text is animated. `fontSize` is in pixels, `durationInFrames` at 30 frames a second."""

    style: AnimationStyle
    fontFamily: str
    fontSize: float
    fontWeight: int
    italic: bool
    color: str
    durationInFrames: int
    backgroundColor: str | None
    fps: int


class AnimationPropsInput(AnimationOptions, total=False):
    """An animated text."""

    text: Required[str]


class CompositionInput(TypedDict):
    """A composition with its props. Props that are missing have the composition's defaults."""

    id: str
    props: Mapping[str, object]


class VideoOutputInput(TypedDict, total=False):
    """A video. `bitrateKbps` instead of `crf`."""

    format: VideoFormat
    width: int | None
    height: int | None
    fps: float | None
    scale: float | None
    crf: int | None
    bitrateKbps: int | None
    transparent: bool
    muted: bool
    proResProfile: ProResProfile | None


class GifOutputInput(TypedDict, total=False):
    """An animated GIF."""

    width: int | None
    height: int | None
    scale: float | None
    everyNthFrame: int | None
    loops: int | None


class AudioOutputInput(TypedDict, total=False):
    """The audio of the composition."""

    format: AudioFormat
    bitrateKbps: int | None


class StillOutputInput(TypedDict, total=False):
    """One frame as an image or a PDF. `frame` counts from 0; negative values count from the end."""

    format: StillFormat
    frame: int | None
    width: int | None
    height: int | None
    scale: float | None
    quality: int | None


class OutputInput(TypedDict, total=False):
    """What to make: exactly one of these."""

    video: VideoOutputInput
    gif: GifOutputInput
    audio: AudioOutputInput
    still: StillOutputInput


class StartRenderInput(TypedDict, total=False):
    """A render to start: an animation or a composition. Without `output`, the server chooses: an MP4, or a PNG."""

    animationProps: AnimationPropsInput | None
    composition: CompositionInput | None
    output: OutputInput | None
    generationId: str | None
    idempotencyKey: str | None


@dataclass(frozen=True)  # without slots: Python 3.11 can't make a `Composition[Props](id)` that is frozen with slots
class Composition(Generic[Props]):
    """A composition by its id, with the type of its props, which is called to render it.

    `rendercast codegen --python` writes one for each composition of a server.
    """

    id: str

    def __call__(self, props: Props, *, output: OutputInput | None = None) -> StartRenderInput:
        """Return a render of this composition with these props."""
        made: StartRenderInput = {"composition": {"id": self.id, "props": props}}
        if output is not None:
            made["output"] = output
        return made


def start_input(
    render: StartRenderInput | str | None,
    props: Mapping[str, object] | None,
    *,
    text: str | None,
    animation: AnimationOptions | None,
) -> StartRenderInput:
    """Return what `start` renders. Raises `TypeError` if it is not one of its forms."""
    if (render is None) is (text is None) or (props is not None and not isinstance(render, str)):
        raise TypeError("Give a composition with its props, or a text.")
    if isinstance(render, str):
        return {"composition": {"id": render, "props": props or {}}}
    if text is None:
        return render or {}
    return {"animationProps": {**(animation or {}), "text": text}}
