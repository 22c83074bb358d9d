"""The messages of the render host (see `render-host.mjs`): one line of JSON each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter


class ReadyMessage(BaseModel):
    """The browser is open."""

    type: Literal["ready"]


class UnavailableMessage(BaseModel):
    """The browser can't be opened. The process exits."""

    type: Literal["unavailable"]
    message: str


class AliveMessage(BaseModel):
    """Sent each second."""

    type: Literal["alive"]


class UnusableMessage(BaseModel):
    """The process must not be used for further jobs: something of an earlier one is left."""

    type: Literal["unusable"]
    reason: str


class CompositionMessage(BaseModel):
    """The composition of the job, as it is with the job's props."""

    type: Literal["composition"]
    job: str
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    fps: Annotated[float, Field(gt=0)]
    frames: Annotated[int, Field(gt=0, alias="durationInFrames")]


class CompositionsMessage(BaseModel):
    """All compositions, as Remotion describes them."""

    type: Literal["compositions"]
    job: str
    compositions: Sequence[object]


class ProgressMessage(BaseModel):
    """The number of frames that are drawn and encoded."""

    type: Literal["progress"]
    job: str
    rendered: int
    encoded: float
    combining: Annotated[bool, Field(alias="isCombining")]


class FrameMessage(BaseModel):
    """A frame is written to a file, as an image in Base64: the last of this number of frames that were drawn."""

    type: Literal["frame"]
    job: str
    number: int
    path: Path


class DoneMessage(BaseModel):
    """The output is written."""

    type: Literal["done"]
    job: str


class CancelledMessage(BaseModel):
    """The job is stopped."""

    type: Literal["cancelled"]
    job: str


class FailedMessage(BaseModel):
    """The job has failed. `console` has the first errors that the composition has logged."""

    type: Literal["failed"]
    job: str
    name: str
    message: str
    stack: str
    in_browser: Annotated[bool, Field(alias="inBrowser")]
    console: Sequence[str]


HostMessage = ReadyMessage | UnavailableMessage | AliveMessage | UnusableMessage
JobMessage = (
    CompositionMessage
    | CompositionsMessage
    | ProgressMessage
    | FrameMessage
    | DoneMessage
    | CancelledMessage
    | FailedMessage
)
_ADAPTER: TypeAdapter[HostMessage | JobMessage] = TypeAdapter(
    Annotated[HostMessage | JobMessage, Field(discriminator="type")]
)


def parse_message(line: bytes) -> HostMessage | JobMessage:
    """Parse a line. Raises `ValueError` if it is not a message."""
    return _ADAPTER.validate_json(line)
