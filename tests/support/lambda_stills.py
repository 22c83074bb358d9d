"""Stills of the Remotion Lambda function for tests: not a real picture, but stored and reported like real ones."""

import secrets
import string

from tests.support.lambda_files import initial_progress
from tests.support.lambda_progress import JSON, compact, cost_usd, output_of, url_of
from tests.support.lambda_renders import Function
from tests.support.s3_server import ObjectStore

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(2000) + b"\xff\xd9"
STILL_MS = 2_000


def new_id(payload: JSON) -> str:
    """Return a new id of a render."""
    prefix = f"{payload['deleteAfter']}-" if payload.get("deleteAfter") else ""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(10))


def make_still_response(function: Function, s3: ObjectStore, payload: JSON, props: JSON) -> JSON:
    """Store a picture, replacing an existing one, and a progress file; return the response. Raises `ValueError`."""
    _check_input(function, payload, props)
    still_id, bucket = new_id(payload), payload["bucketName"]
    stored = output_of(payload, bucket, still_id)
    progress = compact(initial_progress(function, payload))
    s3.put(bucket, f"renders/{still_id}/progress.json", progress.encode())
    s3.put(*stored, PICTURE, "image/jpeg")
    cost = cost_usd(STILL_MS + 100, function.memory_mb, 1)
    return {
        "type": "success",
        "output": url_of(stored),
        "size": len(PICTURE),
        "sizeInBytes": len(PICTURE),
        "bucketName": bucket,
        "estimatedPrice": {"accruedSoFar": cost, "displayCost": f"${cost:.3f}", "currency": "USD", "disclaimer": ""},
        "renderId": still_id,
        "outKey": stored[1],
        "receivedArtifacts": [],
    }


def _check_input(function: Function, payload: JSON, props: JSON) -> None:
    if payload["streamed"]:
        raise ValueError("streamed responses are not supported")
    if payload["composition"] not in function.compositions:
        raise ValueError(f"Could not find composition with ID {payload['composition']}.")
    frames = props["durationInFrames"]
    if not -frames <= payload["frame"] < frames:
        raise ValueError(f"Cannot use frame {payload['frame']}: Duration of composition is {frames}")
    if payload["timeoutInMilliseconds"] < 7000:
        raise ValueError("'timeoutInMilliseconds' should be at least 7000")
