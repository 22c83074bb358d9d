"""The parts of the files that the Remotion Lambda function for tests writes."""

import math
from typing import TYPE_CHECKING

from tests.support.lambda_progress import (
    JSON,
    REAL,
    billed_ms,
    cost_usd,
    frame_count,
    frame_range,
    frames_per_chunk,
    url_of,
)
from tests.support.lambda_scenarios import Scenario

# A newer version may write these.
UNKNOWN_FIELDS: JSON = {
    "formatVersion": 2,
    "gpu": {"frames": [0.5, None, {}]},
    "retries": "none",
    "receivedArtifact": {"0": None},
    "timings": {"0": {"start": "now"}},
    "timeToEncode": "52ms",
    "cancellationEnabled": "yes",
}

if TYPE_CHECKING:
    from tests.support.lambda_renders import Function, Render


def initial_progress(function: "Function", payload: JSON) -> JSON:
    """Return the content of `progress.json` before the response to a start."""
    now = function.now_ms()
    empty: JSON = {name: type(value)() if isinstance(value, list | int) else None for name, value in REAL.items()}
    unknown = ["timeToCombine", "timeToEncode", "timeToRenderFrames", "serveUrlOpened", "compositionValidated"]
    times = {"functionLaunched": now, "timeoutTimestamp": now + function.timeout_ms}
    return empty | dict.fromkeys(unknown) | times | {"cancellationEnabled": bool(payload.get("enableCancellation"))}


def render_metadata(render: "Render") -> JSON:
    """Return the metadata that the function writes after finding the composition."""
    payload, function, composition = render.payload, render.function, render.composition
    frames = frame_range(payload, composition["durationInFrames"])
    count = frame_count({"frameRange": frames, "everyNthFrame": payload["everyNthFrame"]})
    per_chunk = frames_per_chunk(payload, count)
    chunks = math.ceil(count / per_chunk)
    invocations = 0 if payload["concurrency"] == 1 else chunks  # then the main function renders
    scale = payload["scale"]
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
        "dimensions": {"width": composition["width"] * scale, "height": composition["height"] * scale},
        **({"outName": without_credentials(payload["outName"])} if payload.get("outName") else {}),
    }


def without_credentials(out_name: JSON | str) -> JSON | str:
    """Return the place of an output without the keys of its storage."""
    if isinstance(out_name, str) or "s3OutputProvider" not in out_name:
        return out_name
    return out_name | {"s3OutputProvider": {"endpoint": out_name["s3OutputProvider"]["endpoint"]}}


def post_render_data(render: "Render") -> JSON:
    """Return the data that a render writes at its end."""
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
        "outputSize": len(render.content),
        "renderSize": len(render.content),
        "timeToRenderChunks": progress["timeToRenderFrames"],
        "retriesInfo": progress["retries"],
        "mostExpensiveFrameRanges": [],
        "estimatedBillingDurationInMilliseconds": milliseconds,
    }


def distorted(progress: JSON, scenario: Scenario) -> JSON:
    """Return the content of `progress.json` with the scenario's deviations from the usual numbers and fields."""
    if scenario is Scenario.UNKNOWN_FIELDS:
        return progress | UNKNOWN_FIELDS
    if scenario is not Scenario.FRACTIONAL_NUMBERS:
        return progress
    counts = ("framesRendered", "framesEncoded", "combinedFrames", "timeToCombine", "timeToEncode")
    return progress | {name: progress[name] - 0.5 for name in counts if progress[name]}
