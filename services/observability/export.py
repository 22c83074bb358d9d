"""Export of spans to an OpenTelemetry collector; the only module that uses OpenTelemetry's SDK.

It is loaded only if a collector is configured. Everything is configured by OpenTelemetry's own variables. A thread
exports spans from a bounded queue: if the collector is slow or unavailable, only spans are lost.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.errors import StartupError
from services.observability.tracing import Tracing

FLUSH_TIMEOUT_S = 3.0  # for the spans that are left when the process stops

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_tracing() -> AsyncIterator[Tracing]:
    """Export spans while the context is open; on exit, export the remaining ones for at most `FLUSH_TIMEOUT_S`.

    Raises `StartupError` if one of OpenTelemetry's variables has an invalid value.
    """
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)  # below that, it logs every retry
    try:
        exporter = OTLPSpanExporter()
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise StartupError(f"A variable OTEL_… is not valid: {error}.") from error
    try:
        yield Tracing(provider.get_tracer("rendercast"))
    finally:
        await _close(provider)


def _resource() -> Resource:
    """Return this process's attributes from OpenTelemetry's variables; the default service name is `rendercast`."""
    resource = Resource.create()
    name = str(resource.attributes[SERVICE_NAME])
    return resource.merge(Resource({SERVICE_NAME: "rendercast"})) if name.startswith("unknown_service") else resource


async def _close(provider: TracerProvider) -> None:
    """Export the remaining spans. `provider.shutdown` alone would wait longer for an unavailable collector."""
    closing = threading.Thread(target=provider.shutdown, name="export of spans", daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, FLUSH_TIMEOUT_S)
    if closing.is_alive():
        log.warning("the last spans were not exported within %g s", FLUSH_TIMEOUT_S)
