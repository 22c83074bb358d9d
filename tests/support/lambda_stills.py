"""Stills of the Remotion Lambda function for tests: not of the composition, but stored and reported like real ones."""

import secrets
import string

from tests.support.lambda_compositions import Site, find_composition, forced
from tests.support.lambda_files import initial_progress, without_credentials
from tests.support.lambda_outputs import content_type_of, output_content
from tests.support.lambda_progress import JSON, REAL, compact, cost_usd, output_of, url_of
from tests.support.lambda_renders import Function
from tests.support.s3_server import ObjectStore

STILL_MS = 2_000


def new_id(payload: JSON) -> str:
    """Return a new id of a render."""
    prefix = f"{payload['deleteAfter']}-" if payload.get("deleteAfter") else ""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(10))


def make_still_response(function: Function, s3: ObjectStore, payload: JSON, *, props: JSON, site: Site) -> JSON:
    """Store a picture, replacing an existing one, and a progress file; return the response. Raises `ValueError`."""
    composition = forced(find_composition(site, payload["composition"]).evaluate(props), payload)
    _check_input(payload, composition["durationInFrames"])
    still_id, bucket, content = new_id(payload), payload["bucketName"], output_content(payload)
    stored = output_of(payload, bucket, still_id)
    progress = initial_progress(function, payload) | {"renderMetadata": _metadata(function, payload, composition)}
    s3.put(bucket, f"renders/{still_id}/progress.json", compact(progress).encode())
    s3.put(*stored, content, content_type_of(stored[1]))
    cost = cost_usd(STILL_MS + 100, function.memory_mb, 1)
    return {
        "type": "success",
        "output": url_of(stored),
        "size": len(content),
        "sizeInBytes": len(content),
        "bucketName": bucket,
        "estimatedPrice": {"accruedSoFar": cost, "displayCost": f"${cost:.3f}", "currency": "USD", "disclaimer": ""},
        "renderId": still_id,
        "outKey": stored[1],
        "receivedArtifacts": [],
    }


def _metadata(function: Function, payload: JSON, composition: JSON) -> JSON:
    """Return the metadata of a still, which has neither a range of frames nor an interval."""
    only_of_videos = {"everyNthFrame", "frameRange", "muted"}
    real = {name: value for name, value in REAL["renderMetadata"].items() if name not in only_of_videos}
    out_name, scale = payload.get("outName"), payload["scale"]
    return real | {
        **{name: payload[name] for name in real if name in payload},
        "startedDate": function.now_ms(),
        "type": "still",
        "codec": None,
        "outputFileIsConditional": None,
        "totalChunks": 1,
        "framesPerLambda": 1,
        "estimatedTotalLambdaInvokations": 1,
        "estimatedRenderLambdaInvokations": 1,
        "compositionId": payload["composition"],
        "siteId": payload["serveUrl"],
        "dimensions": {"width": composition["width"] * scale, "height": composition["height"] * scale},
        **({"outName": without_credentials(out_name)} if out_name else {}),
    }


def _check_input(payload: JSON, frames: int) -> None:
    if payload["streamed"]:
        raise ValueError("streamed responses are not supported")
    if not -frames <= payload["frame"] < frames:
        raise ValueError(f"Cannot use frame {payload['frame']}: Duration of composition is {frames}")
    if payload["timeoutInMilliseconds"] < 7000:
        raise ValueError("'timeoutInMilliseconds' should be at least 7000")
