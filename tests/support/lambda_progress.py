"""The contents of a progress file: helpers of the Remotion Lambda function for tests."""

import json
import math
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
DATA = Path(__file__).parents[1] / "data"
RECORDED = DATA / "remotion-progress.jsonl"
REAL: JSON = json.loads(RECORDED.read_text().splitlines()[-1])["progress"]
OUTPUT = (DATA / "video.mp4").read_bytes()  # what `tests.support.videos.make_video()` returns
STYLE_UNKNOWN = 'Unknown style: "bogus"'


def compact(value: JSON) -> str:
    """Return the JSON as JavaScript writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def output_of(options: JSON, bucket: str, render_id: str) -> tuple[str, str]:
    """Return the bucket and key of the video, from the `outName` of a payload or of metadata."""
    name = options.get("outName")
    if isinstance(name, dict):
        return name["bucketName"], name["key"]
    return bucket, f"renders/{render_id}/{name or 'out.mp4'}"


def url_of(output: tuple[str, str]) -> str:
    """Return the unsigned URL of an object."""
    return "https://s3.us-east-1.amazonaws.com/" + "/".join(output)


def cost_usd(milliseconds: float, memory_mb: int, invocations: int) -> float:
    """Return the cost of functions of us-east-1 on ARM, rounded as the official client does."""
    seconds = milliseconds / 1000 / 1024
    return round(0.0000133334 * memory_mb * seconds + 9728 * 0.0000000309 * seconds + 0.0000002 * invocations, 5)


def billed_ms(progress: JSON, unfinished_ms: int) -> int:
    """Return the run time of a render's functions, with `unfinished_ms` for each unfinished one."""
    timings = progress["timings"]
    finished = sum(max(0, timing["rendered"] - timing["start"]) + 100 for timing in timings)
    return int(finished + max(0, progress["lambdasInvoked"] - len(timings)) * unfinished_ms)


def thrown_at(message: str) -> str:
    """Return the stack frame of an error: of the composition, which runs in the browser, or of the function's code."""
    if message == STYLE_UNKNOWN:
        return "TextAnimation (http://127.0.0.1:9002/bundle.js:17:11)"
    return "/var/task/node_modules/@remotion/serverless/dist/handlers/index.js:1:1"


def failure(
    message: str, *, name: str = "Error", chunk: int | None = None, attempt: int = 1, retried: bool = False
) -> JSON:
    """Return an entry of `errors`: of a renderer if there is a chunk, else of the main function."""
    return {
        "name": name,
        "message": message,
        "stack": f"{name}: {message}\n    at {thrown_at(message)}",
        "chunk": chunk,
        "frame": None,
        "type": "stitcher" if chunk is None else "renderer",
        "isFatal": not retried,
        "tmpDir": None,
        "attempt": attempt,
        "totalAttempts": 1 if chunk is None else 2,
        "willRetry": retried,
    }


def frame_range(payload: JSON, frames: int) -> list[int]:
    """Return the first and the last frame to render of a composition with this number of frames."""
    requested = payload["frameRange"]
    if requested is None:
        return [0, frames - 1]
    return [requested, requested] if isinstance(requested, int) else requested


def frame_count(metadata: JSON) -> int:
    """Return the number of frames of a render with this metadata."""
    first, last = metadata["frameRange"]
    return len(range(first, last + 1, metadata["everyNthFrame"]))


class Fatal(Exception):  # noqa: N818 - named like `isFatal`
    """A render failed, with these entries of `errors`."""

    def __init__(self, *errors: JSON) -> None:
        self.errors = errors
        super().__init__(errors[-1]["message"])


def frames_per_chunk(payload: JSON, count: int) -> int:
    """Return the number of frames per chunk: as requested, else such that long videos have 75 to 150 chunks."""
    requested, concurrency = payload.get("framesPerLambda"), payload["concurrency"]
    if requested is not None and concurrency is not None:
        raise Fatal(failure("Both 'framesPerLambda' and 'concurrency' were set. Only one is allowed"))
    usual = math.ceil(count / math.ceil(count / max(count / (75 + 75 * min(count, 18000) / 18000), 20)))
    frames: int = max(math.ceil(count / concurrency), min(5, count)) if concurrency else requested or usual
    if frames < min(5, count):
        raise Fatal(failure(f"The framesPerLambda needs to be at least 5, but is {frames}"))
    return min(frames, count)
