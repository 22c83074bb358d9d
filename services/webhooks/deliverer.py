"""The webhook deliverer: leases webhook messages that are due and sends each to the receiver."""

import asyncio
import logging
import secrets as random_tokens
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from services.background.backoff import backoff_s
from services.background.leased_loop import LeasedLoop, release_leases
from services.background.supervision import finish_despite_cancellation, is_cancelled
from services.errors import StoreUnavailable
from services.models import WebhookStatus
from services.observability import log_context, spans
from services.observability.metrics import Metrics
from services.observability.spans import SpanOf, no_span
from services.ports import Clock
from services.webhooks.messages import DeliveryResult, WebhookMessage, finish_attempt, start_attempt
from services.webhooks.payloads import build_body
from services.webhooks.ports import DownloadSigner, Endpoint, EndpointError, Outbox
from services.webhooks.retry_schedule import parse_retry_after
from services.webhooks.signatures import signed_headers

MAX_CONCURRENT = 10
MAX_RECORD_TRIES = 10  # to record a result while the store is unavailable; after that, the message is sent again
GRACE_S = 5.0  # for attempts in progress when the process stops

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """How messages are leased, polled for and signed. A lease must be longer than an attempt."""

    lease: timedelta
    poll_interval: timedelta
    secrets: Sequence[bytes]


class WebhookDeliverer:
    """Sends webhooks. Any number may share an outbox: a message is sent by one of them at a time."""

    def __init__(
        self,
        *,
        worker_id: str,
        outbox: Outbox,
        endpoint: Endpoint,
        signer: DownloadSigner,
        clock: Clock,
        metrics: Metrics,
        options: DeliveryOptions,
        span_of: SpanOf = no_span,
    ) -> None:
        self.id = worker_id
        self._outbox = outbox
        self._endpoint = endpoint
        self._signer = signer
        self._clock = clock
        self._metrics = metrics
        self._options = options
        self._span_of = span_of
        self._loop: LeasedLoop[WebhookMessage] = LeasedLoop(self, name="webhooks", clock=clock)

    @property
    def last_tick_s(self) -> float | None:
        """When the outbox was last polled, by the monotonic clock; None before the first poll."""
        return self._loop.last_tick_s

    @property
    def has_capacity(self) -> bool:
        """Whether another message may be leased."""
        return len(self._loop.items) < MAX_CONCURRENT

    @property
    def poll_interval_s(self) -> float:
        """Seconds until the next poll of the outbox."""
        return self._options.poll_interval.total_seconds()

    async def run(self) -> None:
        """Deliver until cancelled; then wait `GRACE_S` for attempts in progress, and release all leases."""
        await self._loop.run()

    async def acquire(self) -> WebhookMessage | None:
        """Lease the message that is due first; None if none is due. Raises `StoreUnavailable`."""
        return await self._outbox.acquire(worker=self.id, lease=self._options.lease)

    async def process(self, message: WebhookMessage) -> None:
        """Make one attempt to deliver the message. Raises only `CancelledError`."""
        log_context.render_id.set(message.render.id)
        log_context.user_id.set(message.render.owner)
        try:
            await finish_despite_cancellation(self._deliver(message), timeout_s=GRACE_S)
        except StoreUnavailable as error:
            log.warning("webhook %s is sent again when its lease has expired: %s", message.id, error)
        except Exception:
            log.exception("webhook %s can't be delivered; its lease is left to expire", message.id)
            if is_cancelled():
                raise asyncio.CancelledError from None

    async def release(self) -> None:
        """End all leases of this worker."""
        await release_leases(self._outbox.release(worker=self.id), name="webhooks")

    async def _deliver(self, message: WebhookMessage) -> None:
        """Make an attempt. It is recorded before the request is sent, so that it counts even if the process ends."""
        started = start_attempt(message, now=self._clock.now())
        if not await self._outbox.record(started, worker=self.id):
            return  # the message was replayed, or acquired by another worker
        if not started.is_in_progress:
            self._report(started, DeliveryResult(error="its workers ended before a response was received"))
            return
        started_at = asyncio.get_running_loop().time()  # monotonic
        with self._span_of(started.render):
            result = await self._attempt(started)
            if not result.is_success:
                spans.record_failure(str(result.status_code or "unanswered"))
            duration_s = round(asyncio.get_running_loop().time() - started_at, 3)
            finish = partial(finish_attempt, result=result, now=self._clock.now(), duration_s=duration_s)
            finished = finish(started)
            self._report(finished, result)
        if await self._record(finished):
            return
        stored = await self._outbox.get(started.id)
        if stored and stored.attempts == started.attempts:  # the message was replayed during the attempt
            await self._outbox.record(finish(stored), worker=self.id)

    async def _attempt(self, message: WebhookMessage) -> DeliveryResult:
        try:
            render = message.render
            body = build_body(message, video=self._signer.sign(render), poster=self._signer.sign_poster(render))
            return await send(
                message.id, body, secrets=self._options.secrets, endpoint=self._endpoint, clock=self._clock
            )
        except Exception:
            error_id = random_tokens.token_hex(6)
            log.exception("error %s while sending %s", error_id, message.id, extra={"error_id": error_id})
            return DeliveryResult(error=f"internal error {error_id}")

    async def _record(self, finished: WebhookMessage) -> bool:
        """Store the result of an attempt, with retries while the store is unavailable; return whether it is stored."""
        for failures in range(1, MAX_RECORD_TRIES):
            try:
                return await self._outbox.record(finished, worker=self.id)
            except StoreUnavailable as error:
                log.warning("the result of webhook %s could not be recorded: %s", finished.id, error)
                await self._clock.sleep(backoff_s(failures))
        return await self._outbox.record(finished, worker=self.id)

    def _report(self, message: WebhookMessage, result: DeliveryResult) -> None:
        number = len(message.attempts)
        reason = result.error or f"the receiver responded with {result.status_code}"
        if message.status is WebhookStatus.DELIVERED:
            log.info("webhook %s was delivered by attempt %d", message.id, number)
        elif message.status is WebhookStatus.FAILED:
            log.error("webhook %s failed after attempt %d: %s", message.id, number, reason)
        else:
            log.warning("attempt %d of webhook %s failed: %s", number, message.id, reason)
        self._metrics.webhook_attempted(message.status)


async def send(
    message_id: str, body: bytes, *, secrets: Sequence[bytes], endpoint: Endpoint, clock: Clock
) -> DeliveryResult:
    """Sign a message, send it once, and return the result."""
    try:
        response = await endpoint.post(body, signed_headers(message_id, body, secrets=secrets, now=clock.now()))
    except EndpointError as error:
        return DeliveryResult(error=str(error))
    retry_after_s = parse_retry_after(response.retry_after, now=clock.now())
    return DeliveryResult(status_code=response.status_code, retry_after_s=retry_after_s)
