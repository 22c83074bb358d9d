"""The deliverer: leases webhook messages that are due and brings each to the receiver, beside the worker's renders."""

import asyncio
import logging
import secrets as random_words
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.backoff import backoff_s, read_retry_after
from services.errors import StoreUnavailable
from services.models import Download, Render, WebhookStatus
from services.observability import log_context, spans
from services.observability.metrics import Metrics
from services.observability.spans import SpanOf, no_span
from services.ports import Clock
from services.supervision import finish_though_cancelled, is_cancelled
from services.webhooks import messages
from services.webhooks.endpoint import Answer, EndpointError
from services.webhooks.messages import Outcome, WebhookMessage
from services.webhooks.payloads import body_of, headers_of
from services.webhooks.ports import Outbox

MAX_CONCURRENT = 10
MAX_RECORDINGS = 10  # of what came of an attempt, while the store is away; then it is made again
GRACE_S = 5.0  # for attempts under way when the process is asked to stop

log = logging.getLogger(__name__)

Sign = Callable[[Render], Download | None]
Post = Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """How messages are looked for, held and signed. A lease must be longer than an attempt."""

    lease: timedelta
    look_interval: timedelta
    secrets: Sequence[bytes]


class WebhookDeliverer:
    """Sends webhooks. Any number may run on one outbox; each message is sent by one of them at a time."""

    def __init__(  # noqa: PLR0913  # all that it works with, once
        self,
        *,
        worker_id: str,
        outbox: Outbox,
        post: Post,
        sign: Sign,
        sign_poster: Sign,
        clock: Clock,
        metrics: Metrics,
        rules: DeliveryRules,
        span_of: SpanOf = no_span,
    ) -> None:
        self.id = worker_id
        self.last_tick_at: datetime | None = None
        self._outbox = outbox
        self._post = post
        self._sign = sign
        self._sign_poster = sign_poster
        self._clock = clock
        self._metrics = metrics
        self._rules = rules
        self._span_of = span_of
        self._under_way = 0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled, then let attempts that are under way end soon, and give the leases back."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._look_for_messages(tasks)
        finally:
            await self._give_back()

    async def _look_for_messages(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            self._wake.clear()
            try:
                await self._take_what_is_due(tasks)
                failures = 0
            except StoreUnavailable as error:
                failures += 1
                log.warning("no webhooks can be taken: %s", error)
            self.last_tick_at = self._clock.now()
            wait_s = backoff_s(failures) if failures else self._rules.look_interval.total_seconds()
            await self._clock.wait(self._wake, timeout_s=wait_s)

    async def _take_what_is_due(self, tasks: asyncio.TaskGroup) -> None:
        while self._under_way < MAX_CONCURRENT:
            message = await self._outbox.acquire(worker=self.id, lease=self._rules.lease)
            if message is None:
                return
            self._under_way += 1
            tasks.create_task(self._carry(message), name=f"deliver {message.id}")

    async def _carry(self, message: WebhookMessage) -> None:
        log_context.render_id.set(message.render.id)
        log_context.user_id.set(message.render.owner)
        try:
            await finish_though_cancelled(self._deliver(message), patience_s=GRACE_S)
        except StoreUnavailable as error:
            log.warning("webhook %s is sent again when its lease has run out: %s", message.id, error)
        except Exception:
            log.exception("webhook %s can't be carried and is left until its lease expires", message.id)
            if is_cancelled():
                raise asyncio.CancelledError from None
        finally:
            self._under_way -= 1
            self._wake.set()

    async def _deliver(self, message: WebhookMessage) -> None:
        """Make an attempt, on the record before anything is sent: one that ends with its process counts as well."""
        begun = messages.begin(message, now=self._clock.now())
        if not await self._outbox.record(begun, worker=self.id):
            return  # it was replayed, or another worker has it
        if not begun.is_under_way:
            self._tell(begun, Outcome(fault="its workers ended before there was an answer"))
            return
        began_at = asyncio.get_running_loop().time()  # which no change of the clock moves
        with self._span_of(begun.render):
            outcome = await self._attempt(begun)
            if not outcome.is_delivery:
                spans.failed(str(outcome.status_code or "unanswered"))
            duration_s = round(asyncio.get_running_loop().time() - began_at, 3)
            end = partial(messages.end, outcome=outcome, now=self._clock.now(), duration_s=duration_s)
            ended = end(begun)
            self._tell(ended, outcome)
        if await self._record(ended):
            return
        stored = await self._outbox.get(begun.id)
        if stored and stored.attempts == begun.attempts:  # it was replayed meanwhile
            await self._outbox.record(end(stored), worker=self.id)

    async def _attempt(self, message: WebhookMessage) -> Outcome:
        try:
            render = message.render
            body = body_of(message, video=self._sign(render), poster=self._sign_poster(render))
            return await send(message.id, body, self._rules.secrets, self._post, self._clock)
        except Exception:
            error_id = random_words.token_hex(6)
            log.exception("error %s while sending %s", error_id, message.id, extra={"error_id": error_id})
            return Outcome(fault=f"something went wrong on our side (error {error_id})")

    async def _record(self, ended: WebhookMessage) -> bool:
        """Store what came of an attempt, waiting for a store that is away; return whether nobody came between."""
        for failures in range(1, MAX_RECORDINGS):
            try:
                return await self._outbox.record(ended, worker=self.id)
            except StoreUnavailable as error:
                log.warning("what came of webhook %s could not be recorded: %s", ended.id, error)
                await self._clock.sleep(backoff_s(failures))
        return await self._outbox.record(ended, worker=self.id)

    def _tell(self, message: WebhookMessage, outcome: Outcome) -> None:
        number = len(message.attempts)
        what = outcome.fault or f"the receiver answered {outcome.status_code}"
        if message.status is WebhookStatus.DELIVERED:
            log.info("webhook %s was delivered by attempt %d", message.id, number)
        elif message.status is WebhookStatus.FAILED:
            log.error("webhook %s is given up after attempt %d: %s", message.id, number, what)
        else:
            log.warning("attempt %d of webhook %s failed: %s", number, message.id, what)
        self._metrics.webhook_attempted(message.status)

    async def _give_back(self) -> None:
        try:
            await asyncio.shield(self._outbox.release(worker=self.id))
        except StoreUnavailable as error:
            log.warning("leases of webhooks were not given back and will expire: %s", error)


async def send(message_id: str, body: bytes, secrets: Sequence[bytes], post: Post, clock: Clock) -> Outcome:
    """Sign and send a message once, and return what came of it."""
    try:
        answer = await post(body, headers_of(message_id, body, secrets=secrets, now=clock.now()))
    except EndpointError as fault:
        return Outcome(fault=str(fault))
    retry_after_s = read_retry_after(answer.retry_after, now=clock.now())
    return Outcome(status_code=answer.status_code, retry_after_s=retry_after_s)
