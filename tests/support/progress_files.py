"""Progress files of renders on Lambda, and the snapshots derived from them, for tests."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.backends.remotion_lambda.function import Function
from services.backends.remotion_lambda.progress import Snapshot, derive
from services.backends.remotion_lambda.progress_file import ProgressFile

Json = dict[str, Any]

_DATA = Path(__file__).parents[1] / "data"


def _read_lines(name: str) -> list[Json]:
    return [json.loads(line) for line in (_DATA / name).read_text(encoding="utf-8").splitlines()]


# Renders of several formats by the function's own handler 4.0.527: the start payload of the official client, progress
# files as in `GOLDEN`, and the results of stills.
FORMAT_RECORDS: list[Json] = _read_lines("remotion-formats.jsonl")

# Progress files of renders by the function's own handler 4.0.527, and the official client's (4.0.527) status for each.
GOLDEN: list[Json] = [
    *_read_lines("remotion-progress.jsonl"),
    *(pair for record in FORMAT_RECORDS for pair in record.get("pairs", [])),
]
FUNCTION = Function(version="4.0.527", memory_mb=2048, timeout=timedelta(seconds=240))
REGION = "us-east-1"
STARTED_MS = 1_795_331_708_343
STARTED = datetime.fromtimestamp(STARTED_MS / 1000, UTC)
SECOND = timedelta(seconds=1)


def read(progress: Json) -> ProgressFile:
    return ProgressFile.from_json(json.dumps(progress).encode())


def progress(**changes: object) -> Json:
    """Return the file of a render with 90 frames in 5 chunks whose functions are all running."""
    metadata = {
        "startedDate": STARTED_MS,
        "totalChunks": 5,
        "estimatedRenderLambdaInvokations": 5,
        "frameRange": [0, 89],
        "everyNthFrame": 1,
        "rendererFunctionName": "remotion-render-4-0-527-mem2048mb-disk2048mb-240sec",
    }
    file: Json = {
        "chunks": [],
        "framesRendered": 0,
        "framesEncoded": 0,
        "combinedFrames": 0,
        "timeToCombine": None,
        "lambdasInvoked": 5,
        "timings": [],
        "errors": [],
        "postRenderData": None,
        "fatalErrorTimestamp": None,
        "serveUrlOpened": STARTED_MS,
        "compositionValidated": STARTED_MS,
        "renderMetadata": metadata,
    }
    metadata |= {key: value for key, value in changes.items() if key in metadata}
    return file | {key: value for key, value in changes.items() if key not in metadata}


def at(seconds: float, *, region: str = REGION, written_at: datetime | None = None, **changes: object) -> Snapshot:
    now = STARTED + seconds * SECOND
    return derive(read(progress(**changes)), function=FUNCTION, region=region, now=now, written_at=written_at)
