"""The status response of the Lambda function for tests, derived from a progress file as the official client does."""

from tests.support.lambda_progress import JSON, billed_ms, cost_usd, failure, frame_count, output_of, url_of
from tests.support.lambda_renders import Function

STATUS_KEYS = """framesRendered lambdasInvoked timeToRenderFrames renderMetadata timeToEncode timeToCombine
    combinedFrames timeoutTimestamp compositionValidated functionLaunched serveUrlOpened"""
STATUS_KEYS_WHEN_DONE = (
    "outKey outBucket outputFile outputSizeInBytes timeToFinish estimatedBillingDurationInMilliseconds"
)


def status_response(function: Function, progress: JSON, payload: JSON, output_size: int | None) -> JSON:
    """Return the official client's status for a `progress.json`; `output_size` is None if the output isn't stored."""
    metadata, post = progress["renderMetadata"], progress["postRenderData"]
    answer = {"type": "success", "bucket": payload["bucketName"], "renderId": payload["renderId"], "done": False}
    answer |= {name: progress[name] for name in STATUS_KEYS.split()} | dict.fromkeys(STATUS_KEYS_WHEN_DONE.split())
    answer |= {"chunks": len(progress["chunks"]), "errors": progress["errors"], "currentTime": function.now_ms()}
    cost, answer["overallProgress"] = 0.0, overall_progress(progress)
    if metadata:
        elapsed = max(0, (progress["fatalErrorTimestamp"] or answer["currentTime"]) - metadata["startedDate"])
        billed = answer["estimatedBillingDurationInMilliseconds"] = billed_ms(progress, elapsed)
        cost = cost_usd(billed, function.memory_mb, progress["lambdasInvoked"])
        answer["errors"] = timeouts(function, progress) + progress["errors"]
    answer["fatalErrorEncountered"] = any(error["isFatal"] and not error["willRetry"] for error in answer["errors"])
    if metadata and (post or (output_size is not None and seems_done(function, progress))):
        out = output_of(metadata, payload["bucketName"], payload["renderId"])
        answer |= {"done": True, "overallProgress": 1, "fatalErrorEncountered": False, "outputSizeInBytes": output_size}
        answer |= {"outBucket": out[0], "outKey": out[1], "outputFile": url_of(out)}
        answer |= {"chunks": metadata["totalChunks"], "lambdasInvoked": metadata["totalChunks"]}
        answer |= {"framesRendered": frame_count(metadata)}
    if post:
        cost = post["cost"]["estimatedCost"]
        answer |= {name: post[name] for name in post.keys() & answer.keys()} | {"outputSizeInBytes": post["outputSize"]}
    return answer | {"costs": {"accruedSoFar": cost, "currency": "USD"}}


def overall_progress(progress: JSON) -> float:
    metadata, stages = progress["renderMetadata"], ("lambdasInvoked", "serveUrlOpened", "compositionValidated")
    evaluated = sum(bool(progress[stage]) for stage in stages) / 3 * 0.1
    if not metadata:
        return evaluated
    count, expected = frame_count(metadata), metadata["estimatedRenderLambdaInvokations"]
    invoked = progress["lambdasInvoked"] / expected if expected else float(progress["lambdasInvoked"] > 0)
    frames = 0.6 * progress["framesRendered"] + 0.1 * (progress["framesEncoded"] + progress["combinedFrames"])
    return float(evaluated + 0.1 * invoked + frames / count)


def timeouts(function: Function, progress: JSON) -> list[JSON]:
    """Return the error that the client adds after the main function's timeout."""
    metadata = progress["renderMetadata"]
    over_ms = function.now_ms() - metadata["startedDate"] - function.timeout_ms - 20_000
    if over_ms <= 0 or (over_ms <= function.timeout_ms and len(progress["chunks"]) == metadata["totalChunks"]):
        return []
    message = f"The main function timed out after {function.timeout_ms}ms."
    return [failure(message) | {"name": "TimeoutError"}]


def seems_done(function: Function, progress: JSON) -> bool:
    """Return whether the client checks for the output although the file doesn't contain its data.

    It expects two chunks per part of a video that isn't muted, one of them with sound, which never exist.
    """
    metadata, errors = progress["renderMetadata"], progress["errors"]
    parts = metadata["totalChunks"] * (1 if metadata["muted"] else 2)
    late = function.now_ms() > metadata["startedDate"] + 2 * function.timeout_ms + 20_000
    combined = progress["combinedFrames"] >= frame_count(metadata) and progress["timeToCombine"] is not None
    fatal = any(error["isFatal"] and not error["willRetry"] for error in errors)
    return len(progress["chunks"]) == parts and not fatal and (late or combined)
