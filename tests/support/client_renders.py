"""Renders as `rendercast.client` reads them from responses."""

from rendercast.client import Render
from rendercast.client.reading import read

NULL = (
    *("animationProps", "batchId", "completedAt", "costUsd", "error", "estimatedCompletionAt", "generationId"),
    *("outputUrl", "outputUrlExpiresAt", "phase", "posterUrl", "posterUrlExpiresAt", "previewUrl", "startedAt"),
)


def render_of(kind: str, **values: object) -> Render:
    """Return a COMPLETE render with an output of this kind, whose fields have these values."""
    output = {
        "format": "…",
        "kind": kind,
        "contentType": "a/b",
        "fileName": "a",
        "width": 640,
        "height": 360,
        "fps": 30,
    }
    texts = {"id": "a", "compositionId": "a", "status": "COMPLETE", "createdAt": "2026-01-01T12:00:00+00:00"}
    numbers = {"revision": 1, "attempt": 1, "progress": 100, "framesRendered": 90, "totalFrames": 90}
    others = {"outputSizeBytes": 1500, "cancelRequested": False, "warnings": [], "output": output | values}
    return read(Render, {**dict.fromkeys(NULL), **texts, **numbers, **others})
