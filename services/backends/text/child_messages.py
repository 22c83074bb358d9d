"""The messages from a renderer process to its parent: one line of JSON each."""

from typing import Literal

from pydantic import Base64Bytes, BaseModel, TypeAdapter


class ProgressMessage(BaseModel):
    """The child has encoded this many frames."""

    type: Literal["progress"]
    frames: int


class PreviewMessage(BaseModel):
    """A preview of the newest frame, the last of this many, as a JPEG."""

    type: Literal["preview"]
    frames: int
    jpeg: Base64Bytes


class WarningMessage(BaseModel):
    """The video differs from the request, for example in its font."""

    type: Literal["warning"]
    message: str


class LayoutMessage(BaseModel):
    """The layout of a job with `layout_only`: a `TextLayout` as JSON, or None if its fonts are too large."""

    type: Literal["layout"]
    layout: dict[str, object] | None


class DoneMessage(BaseModel):
    """The child has written the whole video, and its poster unless that failed, and synced both to disk.

    If the job was a layout, the child has written nothing.
    """

    type: Literal["done"]
    size_bytes: int


class ErrorMessage(BaseModel):
    """The render has failed. `message` is for the render's owner, `detail` for the operator."""

    type: Literal["error"]
    code: str
    message: str
    retryable: bool
    detail: str | None = None


ChildMessage = ProgressMessage | PreviewMessage | WarningMessage | LayoutMessage | DoneMessage | ErrorMessage
_ADAPTER: TypeAdapter[ChildMessage] = TypeAdapter(ChildMessage)


def parse_message(line: bytes) -> ChildMessage:
    """Parse a line of a child's output. Raises `ValueError` if it is not a message."""
    return _ADAPTER.validate_json(line)
