"""What a child tells its parent, a line of JSON each."""

from typing import Literal

from pydantic import BaseModel, TypeAdapter


class ProgressLine(BaseModel):
    """The child has encoded this many frames."""

    type: Literal["progress"]
    frames: int


class WarningLine(BaseModel):
    """The child had to deviate from what was asked, for instance from the font."""

    type: Literal["warning"]
    message: str


class DoneLine(BaseModel):
    """The child has written the whole video and synced it to disk; its poster too, unless that was not possible."""

    type: Literal["done"]
    size_bytes: int


class ErrorLine(BaseModel):
    """The child gives up."""

    type: Literal["error"]
    message: str
    retryable: bool


Line = ProgressLine | WarningLine | DoneLine | ErrorLine
_LINE: TypeAdapter[Line] = TypeAdapter(Line)


def read_line(line: bytes) -> Line:
    """Return what the child wrote. Raises `ValueError` if it is none of these."""
    return _LINE.validate_json(line)
