"""Bodies of webhook requests."""

import json
from datetime import datetime

from services.clock import format_time
from services.media import FORMATS
from services.models import AnimationProps, Download, Failure, Render
from services.renders.failure_messages import message_for_owner
from services.renders.file_names import file_name
from services.renders.text_animation import input_props
from services.webhooks.messages import EndedBatch, WebhookMessage

Json = dict[str, object]


def build_body(message: WebhookMessage, *, video: Download | None, poster: Download | None) -> bytes:
    """Return the body: event type, time, and the render with the URLs of its output and poster, or the batch."""
    if message.batch is not None:
        return encode_event(message.event_type, message.occurred_at, _batch(message.batch, message.render))
    urls = {**_url_fields("output", video), **_url_fields("poster", poster)}
    return encode_event(message.event_type, message.occurred_at, {**_render(message.render), **urls})


def encode_event(event_type: str, occurred_at: datetime, data: Json) -> bytes:
    """Return the JSON body of an event."""
    payload = {"type": event_type, "timestamp": format_time(occurred_at), "data": data}
    return json.dumps(payload, separators=(",", ":")).encode()


def _url_fields(name: str, download: Download | None) -> Json:
    url, expires_at = (None, None) if download is None else (download.url, download.expires_at)
    return {f"{name}Url": url, f"{name}UrlExpiresAt": _time(expires_at)}


def _batch(batch: EndedBatch, render: Render) -> Json:
    """Return fields of the GraphQL type `BatchProgress`, and the owner."""
    return {
        "batchId": batch.id,
        "owner": render.owner,
        "total": batch.complete + batch.failed + batch.cancelled,
        "complete": batch.complete,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
    }


def _render(render: Render) -> Json:
    """Return the fields of the GraphQL type `Render`, except URLs and fields of unfinished renders."""
    return {
        "id": render.id,
        "generationId": render.generation_id,
        "batchId": render.batch_id,
        "owner": render.owner,
        "revision": render.revision,
        "status": render.status.name,
        "progress": render.progress,
        "framesRendered": render.frames_rendered,
        "totalFrames": render.total_frames,
        "compositionId": render.composition_id,
        "animationProps": None if render.props is None else _props(render.props),
        "inputProps": input_props(render),
        "output": _output(render),
        "attempt": render.attempt,
        "cancelRequested": render.cancel_requested,
        "warnings": list(render.warnings),
        "error": _error(render.failure),
        "outputSizeBytes": None if render.output is None else render.output.size_bytes,
        "costUsd": render.cost_usd,
        "backendRenderId": render.backend_render_id,
        "createdAt": format_time(render.created_at),
        "startedAt": _time(render.started_at),
        "completedAt": _time(render.completed_at),
    }


def _props(props: AnimationProps) -> Json:
    return {
        "text": props.text,
        "style": props.style.name,
        "fontFamily": props.font_family,
        "fontSize": props.font_size,
        "fontWeight": props.font_weight,
        "italic": props.italic,
        "color": props.color,
        "backgroundColor": props.background_color,
        "durationInFrames": props.duration_in_frames,
        "fps": props.fps,
    }


def _output(render: Render) -> Json:
    options, media = render.output_options, render.media
    row = FORMATS[options.format]
    return {
        "format": options.format.name,
        "kind": row.kind.name,
        "contentType": row.media_type,
        "fileName": file_name(render),
        "width": options.width if media is None else media.width,
        "height": options.height if media is None else media.height,
        "fps": options.fps if media is None else media.fps,
        "scale": options.scale,
        "crf": options.crf,
        "bitrateKbps": options.bitrate_kbps,
        "transparent": options.transparent,
        "muted": options.muted,
        "proResProfile": None if options.prores_profile is None else options.prores_profile.name,
        "everyNthFrame": options.every_nth_frame,
        "loops": options.loops,
        "frame": options.frame,
        "quality": options.quality,
    }


def _error(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {"code": failure.code, "message": message_for_owner(failure), "retryable": failure.retryable}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
