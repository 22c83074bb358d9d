"""Parses the function's responses, and defines the models that they share with its progress file."""

import json
import re
from collections.abc import Callable
from typing import Annotated, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    OnErrorOmit,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

MAX_COUNT = 2**53  # the largest integer that JavaScript's numbers represent exactly
MAX_TIMESTAMP_MS = 253_402_300_799_999  # the last millisecond of the year 9999, the maximum of Python's datetime

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHITESPACE = " \t\r\n"


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


def _storable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


_DECODER = json.JSONDecoder(parse_constant=_reject)

Text = Annotated[str, AfterValidator(_storable)]
"""Text without lone surrogates, which JavaScript leaves when it truncates and which can't be logged or stored."""

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[float, Field(strict=True, ge=0, le=MAX_COUNT)]
"""A number of frames, chunks or bytes. It may be a fraction, for example while frames are being combined."""

Timestamp = Annotated[float, Field(strict=True, ge=0, le=MAX_TIMESTAMP_MS)]
"""Milliseconds since the Unix epoch."""

Number = Annotated[float, Field(strict=True, ge=-MAX_TIMESTAMP_MS, le=MAX_TIMESTAMP_MS)]
Key = Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,100}$")]
"""A name that is safe as a part of object keys and URLs."""


class WireModel(BaseModel):
    """A JSON object that the function wrote.

    Unknown keys are ignored. An optional key with null or another invalid value is treated as absent, so that another
    version of Remotion that writes one value differently does not make the whole object unreadable.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, allow_inf_nan=False, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _default_if_invalid(cls, value: object, validate: Callable[[object], object], info: ValidationInfo) -> object:
        try:
            return validate(value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            return field.get_default()


class RemotionError(WireModel):
    """An error of a render. `type` is renderer, browser, stitcher, webhook or artifact."""

    type: Text = ""
    name: Text = ""
    message: Text = ""
    stack: Text = ""
    is_fatal: Flag = False
    will_retry: Flag = False

    @property
    def ends_render(self) -> bool:
        """Whether the render has failed because of this error."""
        return self.is_fatal and not self.will_retry


class Dimensions(WireModel):
    """The size of an output in pixels, with its scale."""

    width: Count
    height: Count


class RenderMetadata(WireModel):
    """Data about a render that the function writes after loading the composition."""

    started_date: Timestamp | None = None
    total_chunks: Count | None = None
    estimated_render_lambda_invokations: Count = 0
    frame_range: tuple[Count, Count] | None = None
    every_nth_frame: Annotated[float, Field(strict=True, ge=1, le=MAX_COUNT)] = 1
    renderer_function_name: Text = ""
    dimensions: Dimensions | None = None

    @property
    def total_frames(self) -> int | None:
        """The number of frames to render; None if it is unknown."""
        if self.frame_range is None:
            return None
        first, last = self.frame_range
        return int(max(0.0, last - first + self.every_nth_frame) // self.every_nth_frame)


class Timing(WireModel):
    """The times at which a chunk was started and rendered."""

    start: Timestamp = 0
    rendered: Timestamp = 0


class FinalCost(WireModel):
    """The cost of a finished render."""

    estimated_cost: Number | None = None
    currency: Text = "USD"


class PostRenderData(WireModel):
    """Data about a render that the function writes after storing the video."""

    output_size: Count | None = None
    cost: FinalCost | None = None
    estimated_billing_duration_in_milliseconds: Number | None = None
    errors: tuple[OnErrorOmit[RemotionError], ...] = ()


class StartResponse(WireModel):
    """Response to a start: the render has been started."""

    render_id: Key


class StillPrice(WireModel):
    """The estimated cost of a still."""

    accrued_so_far: Number | None = None
    currency: Text = "USD"


class StillResponse(WireModel):
    """Response to a still: it is stored."""

    render_id: Key
    estimated_price: StillPrice | None = None


class ErrorResponse(WireModel):
    """Error response of the function's own code; nothing is running."""

    message: Text = ""
    stack: Text = ""


class InfoResponse(WireModel):
    """Response with the function's version of Remotion."""

    version: Text


class FunctionCrash(WireModel):
    """Response of Lambda, marked as a `FunctionError`, for a function that ended without its own response."""

    error_type: Text = ""
    error_message: Text = ""


class EncodingStatus(WireModel):
    """The number of frames in encoded chunks, and how many of them were combined into the video."""

    frames_encoded: Count = 0
    combined_frames: Count = 0


class Costs(WireModel):
    """The cost of a render so far."""

    accrued_so_far: Number = 0
    currency: Text = "USD"


class StatusResponse(WireModel):
    """A render's status as the function derives it. `chunks` is the number of rendered chunks."""

    overall_progress: Number = 0
    done: Flag = False
    fatal_error_encountered: Flag = False
    chunks: Count = 0
    frames_rendered: Count = 0
    encoding_status: EncodingStatus = EncodingStatus()
    costs: Costs = Costs()
    errors: tuple[OnErrorOmit[RemotionError], ...] = ()
    output_size_in_bytes: Count | None = None
    estimated_billing_duration_in_milliseconds: Number | None = None
    render_metadata: RenderMetadata | None = None
    serve_url_opened: Timestamp | None = None
    composition_validated: Timestamp | None = None
    timeout_timestamp: Timestamp | None = None
    current_time: Timestamp | None = None


def last_object(body: bytes) -> dict[str, object]:
    """Return the last of the concatenated JSON objects in `body`. Raises `ValueError` if it contains anything else.

    The function may write another object before its response; only a JSON decoder finds where an object ends.
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
        raise ValueError("the body contains no JSON object")  # noqa: TRY004  # the text is invalid, not its type
    return last


def parse_start(body: bytes) -> StartResponse | ErrorResponse:
    """Parse the response to a start. Raises `ValueError` if it is invalid: then a render may be running."""
    response = last_object(body)
    return _error_response(response) or StartResponse.model_validate(response)


def parse_still(body: bytes) -> StillResponse | ErrorResponse:
    """Parse the response to a still. Raises `ValueError` if it is invalid: then it may be rendered all the same."""
    response = last_object(body)
    return _error_response(response) or StillResponse.model_validate(response)


def parse_compositions(body: bytes) -> list[dict[str, object]] | ErrorResponse:
    """Parse the response to a request for the compositions. Raises `ValueError` if it is invalid."""
    response = last_object(body)
    if error := _error_response(response):
        return error
    found = response.get("compositions")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError("the response has no list of compositions")
    return found


def parse_status(body: bytes) -> StatusResponse | ErrorResponse:
    """Parse the response to a status request. Raises `ValueError` if it is invalid."""
    response = last_object(body)
    if error := _error_response(response):
        return error
    if not {"overallProgress", "done"} & response.keys():
        raise ValueError("the response is not a status")
    return StatusResponse.model_validate(response)


def parse_info(body: bytes) -> InfoResponse | ErrorResponse:
    """Parse the response to a version request. Raises `ValueError` if it is invalid."""
    response = last_object(body)
    return _error_response(response) or InfoResponse.model_validate(response)


def parse_crash(body: bytes) -> FunctionCrash:
    """Parse Lambda's response for a crashed function. Raises `ValueError` if it is invalid."""
    return FunctionCrash.model_validate(last_object(body))


def _error_response(response: dict[str, object]) -> ErrorResponse | None:
    return ErrorResponse.model_validate(response) if response.get("type") == "error" else None


def _next(text: str, start: int) -> int:
    """Return the index at which the next value starts."""
    while start < len(text) and text[start] in _WHITESPACE:
        start += 1
    return start
