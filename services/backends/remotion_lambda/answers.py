"""What the function writes: its answers, and what they have in common with its progress file."""

import json
import re
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

MAX_COUNT = 2**53  # what a number of JavaScript holds exactly
LAST_MS = 253_402_300_799_999  # the last millisecond of the year 9999, the last that Python knows

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHITESPACE = " \t\r\n"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _storable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


_DECODER = json.JSONDecoder(parse_constant=_refuse)

Text = Annotated[str, AfterValidator(_storable)]
"""Text without the halves of characters that JavaScript leaves when it cuts; they can't be logged or stored."""

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Timestamp = Annotated[float, Field(ge=0, le=LAST_MS)]
"""Milliseconds since 1970."""

Number = Annotated[float, Field(ge=-LAST_MS, le=LAST_MS)]
Key = Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,100}$")]
"""A name that is safe as a part of other names and addresses."""


class Wire(BaseModel):
    """A JSON object from outside. Keys it doesn't know are passed over; null is the same as an absent key."""

    model_config = ConfigDict(
        alias_generator=to_camel, allow_inf_nan=False, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data


class RenderError(Wire):
    """Something that went wrong. `type` is renderer, browser, stitcher, webhook or artifact."""

    type: Text = ""
    name: Text = ""
    message: Text = ""
    stack: Text = ""
    is_fatal: bool = False
    will_retry: bool = False

    @property
    def ends_render(self) -> bool:
        """Whether nothing more comes of the render."""
        return self.is_fatal and not self.will_retry


class RenderMetadata(Wire):
    """What the function knows of a render once it has seen the composition."""

    started_date: Timestamp
    total_chunks: Count | None = None
    estimated_render_lambda_invokations: Count = 0
    frame_range: tuple[Count, Count] | None = None
    every_nth_frame: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 1
    renderer_function_name: Text = ""

    @property
    def total_frames(self) -> int | None:
        """How many frames are rendered; None if that isn't told."""
        if self.frame_range is None:
            return None
        first, last = self.frame_range
        return max(0, last - first + self.every_nth_frame) // self.every_nth_frame


class Timing(Wire):
    """When a chunk was begun and finished."""

    start: Timestamp = 0
    rendered: Timestamp = 0


class FinalCost(Wire):
    """What a finished render has cost."""

    estimated_cost: Number | None = None
    currency: Text = "USD"


class PostRenderData(Wire):
    """What is known of a render once its video is stored."""

    output_size: Count | None = None
    cost: FinalCost | None = None
    estimated_billing_duration_in_milliseconds: Number | None = None
    errors: tuple[RenderError, ...] = ()


class Accepted(Wire):
    """The render has been started."""

    bucket_name: Key
    render_id: Key


class Refused(Wire):
    """The function's own code says no; nothing was started."""

    message: Text = ""
    stack: Text = ""


class InfoAnswer(Wire):
    """What the function is."""

    version: Text


class Crash(Wire):
    """What Lambda answers, marked as a `FunctionError`, when the function ended without an answer of its own."""

    error_type: Text = ""
    error_message: Text = ""


class EncodingStatus(Wire):
    """How many frames are in encoded chunks, and how many of them in the video."""

    frames_encoded: Count = 0
    combined_frames: Count = 0


class Costs(Wire):
    """What a render has cost until now."""

    accrued_so_far: Number = 0
    currency: Text = "USD"

    @property
    def usd(self) -> float | None:
        """The cost in US dollars; None if it is told in another currency, as in China."""
        return self.accrued_so_far if self.currency == "USD" else None


class StillAnswer(Wire):
    """A still has been stored, by a render of its own."""

    render_id: Key
    estimated_price: Costs = Costs()


class StatusAnswer(Wire):
    """How a render stands, as the function derives it. Always holds `overallProgress` and `done`."""

    overall_progress: Number
    done: bool
    fatal_error_encountered: bool = False
    frames_rendered: Count = 0
    encoding_status: EncodingStatus = EncodingStatus()
    costs: Costs = Costs()
    errors: tuple[RenderError, ...] = ()
    output_size_in_bytes: Count | None = None
    estimated_billing_duration_in_milliseconds: Number | None = None
    render_metadata: RenderMetadata | None = None
    composition_validated: Timestamp | None = None
    current_time: Timestamp | None = None


def last_object(body: bytes) -> dict[str, object]:
    """Return the last of the JSON objects that stand in a row in `body`. Raises `ValueError` if that isn't so.

    The function's answers may be preceded by another; only a decoder can tell where one ends.
    """
    text = body.decode()
    last: object = None
    end = _next(text, 0)
    while end < len(text):
        try:
            last, end = _DECODER.raw_decode(text, end)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error
        end = _next(text, end)
    if not isinstance(last, dict):
        raise ValueError("the body holds no JSON object")  # noqa: TRY004  # what is wrong is the text
    return last


def parse_start(body: bytes) -> Accepted | Refused:
    """Return the answer to a start. Raises `ValueError` if it is none: then a render may be running."""
    answer = last_object(body)
    return _refusal(answer) or Accepted.model_validate(answer)


def parse_status(body: bytes) -> StatusAnswer | Refused:
    """Return the answer to a question for the status. Raises `ValueError` if it is none."""
    answer = last_object(body)
    return _refusal(answer) or StatusAnswer.model_validate(answer)


def parse_still(body: bytes) -> StillAnswer | Refused:
    """Return the answer to what asks for a still. Raises `ValueError` if it is none."""
    answer = last_object(body)
    return _refusal(answer) or StillAnswer.model_validate(answer)


def parse_info(body: bytes) -> InfoAnswer | Refused:
    """Return the answer to a question for the version. Raises `ValueError` if it is none."""
    answer = last_object(body)
    return _refusal(answer) or InfoAnswer.model_validate(answer)


def parse_crash(body: bytes) -> Crash:
    """Return what Lambda tells of a function that crashed. Raises `ValueError` if it is no such answer."""
    return Crash.model_validate(last_object(body))


def _refusal(answer: dict[str, object]) -> Refused | None:
    return Refused.model_validate(answer) if answer.get("type") == "error" else None


def _next(text: str, start: int) -> int:
    """Return where the next value begins."""
    while start < len(text) and text[start] in _WHITESPACE:
        start += 1
    return start
