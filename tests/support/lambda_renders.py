"""The renders of the Remotion Lambda that tests use: they draw nothing, but tell of it as the real ones do.

A render is a generator of what its `progress.json` holds next. What tests can't cause is as in a recorded real render.
"""

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any, cast

from tests.support.s3_server import S3Server

JSON = dict[str, Any]
RECORDED = Path(__file__).parents[1] / "data" / "remotion-progress.jsonl"
REAL: JSON = json.loads(RECORDED.read_text().splitlines()[-1])["progress"]
NEEDED = """composition inputProps codec envVariables privacy frameRange timeoutInMilliseconds everyNthFrame
    concurrencyPerLambda downloadBehavior audioCodec concurrency scale"""
OUTPUT = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42\x00\x00\x10\x00mdat" + bytes(4088)
CRASHED = "Protocol error (Runtime.callFunctionOn): Target closed."
THROTTLED = (
    "AWS Concurrency limit reached (Original Error: Rate Exceeded.). "
    "See https://www.remotion.dev/docs/lambda/troubleshooting/rate-limit for tips to fix this."
)
BROKEN_FILES = ('{"cancellationEnabled":true,"chunks":[1,', "", '"progress"')


class Course(Enum):
    """How a render goes."""

    WELL = auto()
    SITE_UNREACHABLE = auto()
    UNKNOWN_COMPOSITION = auto()
    BAD_PROPS = auto()
    OUTPUT_EXISTS = auto()  # and may not be overwritten
    LAUNCH_DIES = auto()  # before it knows the composition; nothing is ever written again
    RENDERERS_THROTTLED = auto()
    CHUNK_RETRIED = auto()  # ends well, but the frames of one chunk start again
    CHUNK_HANGS = auto()  # all other chunks are there; it can be cancelled
    REACT_ERROR = auto()
    BROWSER_CRASH = auto()
    DISK_FULL = auto()
    STITCHER_TIMES_OUT = auto()  # all chunks are there, nothing is ever written again
    CORRUPT_FILE = auto()  # ends well, but the file is half there, empty or no object for a while
    NO_POST_RENDER_DATA = auto()  # the output is there, nothing is ever written again


STYLE_UNKNOWN = 'Unknown style: "bogus"'

# The message of a renderer, and in which of its two attempts it gave up.
IN_RENDERERS = {
    Course.REACT_ERROR: (STYLE_UNKNOWN, 1),
    Course.BROWSER_CRASH: (CRASHED, 2),
    Course.DISK_FULL: ("ENOSPC: no space left on device, write", 1),
}


class State(Enum):
    """Where a render is."""

    PLAYING = auto()
    COMPLETE = auto()
    FAILED = auto()
    SILENT = auto()  # neither of these, but nothing will ever be written again


class Fatal(Exception):  # noqa: N818 - named for what happened
    """A render failed, with these entries of `errors`."""

    def __init__(self, *errors: JSON) -> None:
        self.errors = errors
        super().__init__(errors[-1]["message"])


class Silent(Exception):  # noqa: N818 - named for what happened
    """A render will not be heard of again."""


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function, what its site can render, and the time where it runs."""

    name: str
    version: str
    memory_mb: int
    timeout_ms: int
    compositions: frozenset[str]
    now_ms: Callable[[], int]


@dataclass(slots=True, kw_only=True)
class Render:
    """A render, what its `progress.json` holds and ever held, and what is `to_do` in S3 before its next step."""

    id: str
    function: Function
    payload: JSON
    props: JSON
    course: Course = Course.WELL
    steps: int
    interval_s: float
    s3: S3Server
    progress: JSON
    state: State = State.PLAYING
    script: Iterator[str] = field(init=False)
    written: list[str] = field(default_factory=list)
    to_do: deque[Callable[[], None]] = field(default_factory=deque)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.script = play(self)

    @property
    def bucket(self) -> str:
        return str(self.payload["bucketName"])

    @property
    def output(self) -> tuple[str, str]:
        """The bucket and key of its video."""
        return output_of(self.payload, self.bucket, self.id)

    @property
    def metadata(self) -> JSON:
        return cast("JSON", self.progress["renderMetadata"])

    def key(self, name: str) -> str:
        return f"renders/{self.id}/{name}"

    @property
    def text(self) -> str:
        """What `progress.json` should hold."""
        return compact(self.progress)


def compact(value: JSON) -> str:
    """Return JSON as JavaScript writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def output_of(options: JSON, bucket: str, render_id: str) -> tuple[str, str]:
    """Return where the video goes, by the `outName` of a payload or of metadata."""
    name = options.get("outName")
    if isinstance(name, dict):
        return name["bucketName"], name["key"]
    return bucket, f"renders/{render_id}/{name or 'out.mp4'}"


def url_of(output: tuple[str, str]) -> str:
    """Return the unsigned URL of an object."""
    return "https://s3.us-east-1.amazonaws.com/" + "/".join(output)


def cost_usd(milliseconds: float, memory_mb: int, invocations: int) -> float:
    """Return what functions of us-east-1 on ARM cost, rounded as the official client does."""
    seconds = milliseconds / 1000 / 1024
    return round(0.0000133334 * memory_mb * seconds + 9728 * 0.0000000309 * seconds + 0.0000002 * invocations, 5)


def billed_ms(progress: JSON, unfinished_ms: int) -> int:
    """Return how long a render's functions ran, if each unfinished one ran `unfinished_ms`."""
    timings = progress["timings"]
    finished = sum(max(0, timing["rendered"] - timing["start"]) + 100 for timing in timings)
    return int(finished + max(0, progress["lambdasInvoked"] - len(timings)) * unfinished_ms)


def initial_progress(function: Function, payload: JSON) -> JSON:
    """Return what `progress.json` holds before start answers."""
    now = function.now_ms()
    empty: JSON = {name: type(value)() if isinstance(value, list | int) else None for name, value in REAL.items()}
    unknown = ["timeToCombine", "timeToEncode", "timeToRenderFrames", "serveUrlOpened", "compositionValidated"]
    times = {"functionLaunched": now, "timeoutTimestamp": now + function.timeout_ms}
    return empty | dict.fromkeys(unknown) | times | {"cancellationEnabled": bool(payload.get("enableCancellation"))}


def thrown_at(message: str) -> str:
    """Return where an error comes from: the composition, which runs in the browser, or the function's own code."""
    if message == STYLE_UNKNOWN:
        return "TextAnimation (http://127.0.0.1:9002/bundle.js:17:11)"
    return "/var/task/node_modules/@remotion/serverless/dist/handlers/index.js:1:1"


def failure(message: str, *, chunk: int | None = None, attempt: int = 1, retried: bool = False) -> JSON:
    """Return an entry of `errors`: of a renderer if there is a chunk, else of the main function."""
    return {
        "name": "Error",
        "message": message,
        "stack": f"Error: {message}\n    at {thrown_at(message)}",
        "chunk": chunk,
        "frame": None,
        "type": "stitcher" if chunk is None else "renderer",
        "isFatal": not retried,
        "tmpDir": None,
        "attempt": attempt,
        "totalAttempts": 1 if chunk is None else 2,
        "willRetry": retried,
    }


def failed_in_renderer(message: str, attempt: int = 1) -> Fatal:
    """Return the failure of a renderer, whose whole stack is the main function's message."""
    return Fatal(own := failure(message, chunk=0, attempt=attempt), failure(own["stack"]))


def play(render: Render) -> Iterator[str]:
    """Yield what `progress.json` holds next. Raises `Fatal` or `Silent`."""
    yield from open_site(render)
    yield from begin_rendering(render)
    yield from render_frames(render)
    yield from finish(render)


def open_site(render: Render) -> Iterator[str]:
    """Open the site and find the composition."""
    for name in NEEDED.split():
        if name not in render.payload:
            raise Fatal(failure(f"Cannot read properties of undefined (reading '{name}')"))
    if render.course is Course.SITE_UNREACHABLE:
        raise Fatal(failure(f"net::ERR_CONNECTION_REFUSED at {render.payload['serveUrl']}"))
    render.progress["serveUrlOpened"] = render.function.now_ms()
    yield render.text
    if render.course is Course.LAUNCH_DIES:
        raise Silent
    refuse_what_the_site_would(render)
    render.progress["compositionValidated"] = render.function.now_ms()
    render.progress["renderMetadata"] = render_metadata(render)
    yield render.text


def begin_rendering(render: Render) -> Iterator[str]:
    """Invoke the renderers, and let happen what goes wrong while they render."""
    progress, metadata = render.progress, render.metadata
    if render.course is Course.RENDERERS_THROTTLED:
        progress["lambdasInvoked"] = metadata["estimatedRenderLambdaInvokations"] // 2
        raise Fatal(failure(failure(THROTTLED)["stack"]))
    progress["lambdasInvoked"] = metadata["estimatedRenderLambdaInvokations"]
    if render.course in IN_RENDERERS or render.course is Course.CHUNK_RETRIED:
        progress["framesRendered"] = frame_count(metadata) // 2
        yield render.text
    if render.course in {Course.CHUNK_RETRIED, Course.BROWSER_CRASH}:
        progress["errors"].append(failure(CRASHED, chunk=0, retried=True))
        progress["retries"].append({"chunk": 0, "attempt": 2, "time": render.function.now_ms()})
        progress["framesRendered"] = max(0, progress["framesRendered"] - metadata["framesPerLambda"])
        yield render.text
    if render.course in IN_RENDERERS:
        raise failed_in_renderer(*IN_RENDERERS[render.course])
    if render.course is Course.CORRUPT_FILE:
        yield from BROKEN_FILES


def render_frames(render: Render) -> Iterator[str]:
    """Render, and encode every chunk as soon as its frames are there."""
    count, per_chunk = frame_count(render.metadata), render.metadata["framesPerLambda"]
    hangs = render.course is Course.CHUNK_HANGS
    until = max(count // 2, (count - 1) // per_chunk * per_chunk) if hangs else count
    began = render.function.now_ms()
    for step in range(1, render.steps + 1):
        have_rendered(render, min(until, count * step // render.steps), began)
        yield render.text
    while hangs:
        yield render.text
    if render.course is Course.STITCHER_TIMES_OUT:
        raise Silent


def have_rendered(render: Render, frames: int, began: int) -> None:
    """Note that so many frames are rendered, and the chunks that are complete with them."""
    progress, count, now = render.progress, frame_count(render.metadata), render.function.now_ms()
    per_chunk, done = render.metadata["framesPerLambda"], progress["chunks"]
    for chunk in range(len(done), render.metadata["totalChunks"]):
        if min(count, (chunk + 1) * per_chunk) <= frames:
            done.append(chunk)
            progress["timings"].append({"chunk": chunk, "start": began, "rendered": now})
    progress["framesRendered"] = frames
    progress["framesEncoded"] = min(count, len(done) * per_chunk)
    if frames == count:
        progress["timeToRenderFrames"] = progress["timeToEncode"] = now - began


def finish(render: Render) -> Iterator[str]:
    """Put the chunks together and store the video."""
    progress, never_said = render.progress, render.course is Course.NO_POST_RENDER_DATA
    progress["combinedFrames"] = frame_count(render.metadata)
    progress["timeToCombine"] = 52 if render.metadata["totalChunks"] > 1 or never_said else None
    render.to_do.append(partial(render.s3.put, *render.output, OUTPUT, "video/mp4"))
    yield render.text
    if never_said:
        raise Silent
    clean_up(render)
    progress["postRenderData"] = post_render_data(render)
    render.state = State.COMPLETE
    yield render.text


def fail(render: Render, fatal: Fatal) -> str:
    """Note why the render failed, and return what `progress.json` then holds."""
    render.progress["errors"].extend(fatal.errors)
    render.progress["fatalErrorTimestamp"] = render.function.now_ms()
    render.state = State.FAILED
    if render.metadata:
        clean_up(render)
    return render.text


def clean_up(render: Render) -> None:
    """Remove the properties that were too large to be sent."""
    props = render.payload["inputProps"]
    if props["type"] == "bucket-url":
        render.to_do.append(partial(render.s3.delete, props["bucketName"], f"input-props/{props['hash']}.json"))


def refuse_what_the_site_would(render: Render) -> None:
    """Raise `Fatal` if the composition, the properties or the options are not right."""
    payload, known = render.payload, render.function.compositions
    if render.course is Course.UNKNOWN_COMPOSITION or payload["composition"] not in known:
        available = ", ".join(sorted(known))
        raise Fatal(failure(f"Could not find composition with ID {payload['composition']}. Available: {available}"))
    if render.course is Course.BAD_PROPS or not isinstance(render.props.get("durationInFrames"), int):
        problem = "must be a number, but you passed a value of type undefined"
        raise Fatal(failure(f'The "durationInFrames" prop of the <Composition/> component {problem}'))
    if payload["timeoutInMilliseconds"] < 7000:
        raise Fatal(failure("'timeoutInMilliseconds' should be at least 7000"))
    if render.course is Course.OUTPUT_EXISTS:
        bucket, key = render.output
        problem = "already exists. Delete it before re-rendering, or set the 'overwrite' option"
        raise Fatal(failure(f'Output file "{key}" in bucket "{bucket}" in region "us-east-1" {problem}'))


def render_metadata(render: Render) -> JSON:
    """Return what is known since the composition was found."""
    payload, function = render.payload, render.function
    frames = frame_range(payload, render.props)
    count = frame_count({"frameRange": frames, "everyNthFrame": payload["everyNthFrame"]})
    per_chunk = frames_per_chunk(payload, count)
    chunks = math.ceil(count / per_chunk)
    invocations = 0 if chunks == 1 else chunks  # a single chunk is rendered by the main function
    real: JSON = REAL["renderMetadata"]
    return real | {
        **{name: payload[name] for name in real if name in payload},
        "startedDate": render.progress["functionLaunched"],
        "totalChunks": chunks,
        "estimatedTotalLambdaInvokations": invocations + 1,
        "estimatedRenderLambdaInvokations": invocations,
        "compositionId": payload["composition"],
        "siteId": payload["serveUrl"],
        "type": "video",
        "lambdaVersion": function.version,
        "framesPerLambda": per_chunk,
        "memorySizeInMb": function.memory_mb,
        "renderId": render.id,
        "frameRange": frames,
        "functionName": function.name,
        "rendererFunctionName": payload.get("rendererFunctionName") or function.name,
        **({"outName": payload["outName"]} if payload.get("outName") else {}),
    }


def frame_range(payload: JSON, props: JSON) -> list[int]:
    """Return the first and the last frame to render."""
    asked = payload["frameRange"]
    if asked is None:
        return [0, (payload.get("forceDurationInFrames") or props["durationInFrames"]) - 1]
    return [asked, asked] if isinstance(asked, int) else asked


def frame_count(metadata: JSON) -> int:
    """Return how many frames a render with this metadata makes."""
    first, last = metadata["frameRange"]
    return len(range(first, last + 1, metadata["everyNthFrame"]))


def frames_per_chunk(payload: JSON, count: int) -> int:
    """Return how many frames a chunk has: as asked, else so that long videos have 75 to 150 chunks."""
    asked, concurrency = payload.get("framesPerLambda"), payload["concurrency"]
    if asked is not None and concurrency is not None:
        raise Fatal(failure("Both 'framesPerLambda' and 'concurrency' were set. Only one is allowed"))
    usual = math.ceil(count / math.ceil(count / max(count / (75 + 75 * min(count, 18000) / 18000), 20)))
    frames: int = math.ceil(count / concurrency) if concurrency else asked or usual
    if frames < min(5, count):
        raise Fatal(failure(f"The framesPerLambda needs to be at least 5, but is {frames}"))
    return min(frames, count)


def post_render_data(render: Render) -> JSON:
    """Return what a render says at its end."""
    progress, metadata, now = render.progress, render.metadata, render.function.now_ms()
    milliseconds = billed_ms(progress | {"lambdasInvoked": 0}, 0)
    cost = cost_usd(milliseconds, render.function.memory_mb, metadata["estimatedTotalLambdaInvokations"])
    real: JSON = REAL["postRenderData"]
    return real | {
        **{name: progress[name] for name in real if name in progress},
        "cost": real["cost"] | {"estimatedCost": cost, "estimatedDisplayCost": f"${round(cost, 3):g}"},
        "outputFile": url_of(render.output),
        "timeToFinish": now - metadata["startedDate"],
        "errors": [{**error, "explanation": None, "s3Location": ""} for error in progress["errors"]],
        "startTime": metadata["startedDate"],
        "endTime": now,
        "outputSize": len(OUTPUT),
        "renderSize": len(OUTPUT),
        "timeToRenderChunks": progress["timeToRenderFrames"],
        "retriesInfo": progress["retries"],
        "mostExpensiveFrameRanges": [],
        "estimatedBillingDurationInMilliseconds": milliseconds,
    }
