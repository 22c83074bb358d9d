"""The use cases of renders. Every method that looks up a render takes the caller, and finds only the caller's renders.

Operators can read the renders of all users with `get`, `list` (with `all_users`) and `download`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.compositions.catalog import CatalogReader, KnownCompositions
from services.errors import (
    IdempotencyKeyReused,
    InvalidArgument,
    NotAllowed,
    OutputGone,
    RenderAlreadyFinished,
    RenderNotComplete,
    RenderNotFinished,
    RenderNotFound,
    RenderNotRetryable,
    RenderServiceNotConfigured,
    TokenForOneRender,
)
from services.ids import is_render_id, new_render_id
from services.models import (
    Caller,
    Composition,
    Download,
    Quota,
    QuotaWindow,
    Render,
    RenderFilter,
    RenderPage,
    RenderStatus,
    StartResult,
)
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import AddOutcome, AddResult, Clock, RenderBackend, RenderStore
from services.realtime.hub import ProgressHub
from services.renders import lifecycle
from services.renders.download_urls import DownloadUrls
from services.renders.file_names import file_name
from services.renders.pages import PageRequest, read_page
from services.renders.quota import QuotaRule, quota_exceeded, quota_left
from services.renders.render_input import RenderInput
from services.renders.render_tokens import RenderToken, RenderTokens, check_lifetime, issue_token
from services.renders.requests import RequestLimits, RequestValidator, StartRequest
from services.renders.validation import is_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderService:
    """Starts, returns, lists, cancels, retries and deletes renders, and signs their URLs.

    `backend` is None if the deployment has no renderer; then no render can be started. `catalog` is None if this
    process starts no renders, `tokens` if there is no secret for tokens of single renders. A caller with such a token
    gets `TokenForOneRender` from all methods but `get` and `download` of that render. Any async method may raise
    `StoreUnavailable`; `start`, `download` and `delete` may raise `BackendUnavailable` too.
    """

    store: RenderStore
    backend: RenderBackend | None
    hub: ProgressHub
    clock: Clock
    metrics: Metrics
    quota_rule: QuotaRule
    limits: RequestLimits
    download_expiry: timedelta
    catalog: CatalogReader | None = None
    download_urls: DownloadUrls = field(default_factory=DownloadUrls)
    tokens: RenderTokens | None = None

    async def start(self, caller: Caller, request: StartRequest) -> StartResult:
        """Queue a render for one unit of quota.

        If the caller used the idempotency key before, return that render and use no quota. Raises `InvalidAnimation`,
        `InvalidInput`, `IdempotencyKeyReused`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`; none of them uses
        quota.
        """
        _require_account(caller)
        if self.backend is None:
            raise RenderServiceNotConfigured
        valid = RequestValidator(
            site=self.backend.site,
            animation_id=self.backend.animation_composition_id,
            formats=self.backend.formats,
            compositions=await self._known_compositions(),
            limits=self.limits,
        ).validate(request)
        key = None if request.idempotency_key is None else f"start:{request.idempotency_key}"
        result = await self._start(caller, valid, key=key)
        if result.duplicate and not valid.is_same_as(result.render):
            raise IdempotencyKeyReused(result.render)
        return result

    async def compositions(self, caller: Caller) -> Sequence[Composition]:
        """Return the compositions that can be rendered, in the site's order; none before they are discovered."""
        _require_account(caller)
        known = await self._known_compositions()
        return () if known is None else known.catalog.compositions

    async def retry(self, caller: Caller, render_id: str) -> StartResult:
        """Start a new render with the input of a FAILED or CANCELLED one, for one unit of quota.

        A second retry of the same render returns the render that the first started. Raises `RenderNotFound`,
        `RenderNotRetryable`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`.
        """
        render = await self._get_own(caller, render_id)
        if render.status not in {RenderStatus.FAILED, RenderStatus.CANCELLED}:
            raise RenderNotRetryable(render)
        return await self._start(caller, RenderInput.of(render), key=f"retry:{render.id}")

    async def get(self, caller: Caller, render_id: str) -> Render:
        """Return the caller's render, or any user's render for an operator. Raises `RenderNotFound`."""
        if not caller.may_read(render_id):
            raise TokenForOneRender
        if not caller.is_operator:
            return await self._get(caller.id, render_id)
        found = await self.store.get_many([render_id]) if is_render_id(render_id) else ()
        if not found:
            raise RenderNotFound
        return found[0]

    async def list(self, caller: Caller, request: PageRequest, *, matching: RenderFilter) -> RenderPage:
        """Return a page of the caller's matching renders, newest first.

        Raises `InvalidArgument` for a page size out of range and for a cursor of another list, and `NotAllowed` if a
        caller who is not an operator requests the renders of all users.
        """
        _require_account(caller)
        if not is_plain(matching.generation_id or ""):
            raise InvalidArgument("generationId", "`generationId` must not contain control characters.")
        if matching.all_users and not caller.is_operator:
            raise NotAllowed
        return await read_page(self.store, request, owner=None if matching.all_users else caller.id, matching=matching)

    async def count(self, page: RenderPage) -> int:
        """Return the number of renders in the list of a page that the caller has read."""
        return await self.store.count(owner=page.owner, matching=page.matching)

    async def quota(self, caller: Caller) -> Quota:
        """Return the caller's quota in the current window, without using any of it."""
        _require_account(caller)
        window = self.quota_rule.window_at(self.clock.now(), owner=caller.id)
        return quota_left(window, used=await self.store.quota_used(window))

    async def queue_position(self, render: Render) -> int | None:
        """Return the place of a render in the queue, 1 for the next; None if it isn't QUEUED."""
        return await self.store.queue_position(render) if render.status is RenderStatus.QUEUED else None

    async def cancel(self, caller: Caller, render_id: str) -> Render:
        """Cancel a QUEUED render; for a RENDERING one, set `cancel_requested`, and its worker cancels it.

        Raises `RenderNotFound` or `RenderAlreadyFinished`.
        """

        def cancelled(render: Render) -> Render:
            if render.status.is_terminal:
                raise RenderAlreadyFinished(render)
            if render.status is RenderStatus.QUEUED:
                return lifecycle.cancel(render, now=self.clock.now())
            return lifecycle.request_cancel(render)

        return await self._change(caller, render_id, cancelled)

    async def download(self, caller: Caller, render_id: str) -> tuple[Render, Download]:
        """Return the render and a new signed URL of its output, after checking that the output is still stored.

        Raises `RenderNotFound`, `RenderNotComplete`, `OutputGone` or `RenderServiceNotConfigured`.
        """
        render = await self.get(caller, render_id)
        if render.output is None:
            raise RenderNotComplete(render)
        if self.backend is None:
            raise RenderServiceNotConfigured
        if not await self.backend.has_output(render.output):
            raise OutputGone
        return render, self.backend.sign(render.output, expires_in=self.download_expiry)

    def sign(self, render: Render, *, saves: bool = False) -> Download | None:
        """Return a signed URL of the output of a render that the caller has read; None if it has none.

        If `saves`, browsers save the file under a readable name instead of showing it.
        """
        if render.output is None or self.backend is None:
            return None
        name, now = file_name(render) if saves else None, self.clock.now()
        return self.download_urls.sign(self.backend, render.output, name=name, expiry=self.download_expiry, now=now)

    def sign_poster(self, render: Render) -> Download | None:
        """Return a signed URL of the poster of a render that the caller has read; None if it has no poster."""
        if (output := render.output) is None or self.backend is None:
            return None
        return self.download_urls.sign_poster(self.backend, output, expiry=self.download_expiry, now=self.clock.now())

    def sign_preview(self, render: Render) -> Download | None:
        """Return a signed URL of the newest preview of a render that the caller has read; None if it has none."""
        if self.backend is None:
            return None
        return self.download_urls.sign_preview(self.backend, render, now=self.clock.now())

    async def make_token(self, caller: Caller, render_id: str, *, expires_in_s: int) -> RenderToken:
        """Return a token with which others can watch and download the caller's render for `expires_in_s` seconds.

        Raises `RenderNotFound`, `RenderTokensNotConfigured`, or `InvalidArgument` unless it is for 1 s to 7 days.
        """
        lifetime = check_lifetime(expires_in_s)
        render = await self._get_own(caller, render_id)
        return issue_token(self.tokens, render, expires_at=self.clock.now() + lifetime)

    async def delete(self, caller: Caller, render_id: str) -> None:
        """Delete an ended render with its output and poster. Raises `RenderNotFound` or `RenderNotFinished`."""
        render = await self._get_own(caller, render_id)
        if not render.status.is_terminal:
            raise RenderNotFinished(render)
        if self.backend is not None:
            await self.backend.delete(render)
        await asyncio.shield(self._delete(render))

    async def _delete(self, render: Render) -> None:
        """Delete a stored render and publish it. Shielded from cancellation, as `_add` is."""
        if await self.store.delete(render.id, owner=render.owner):
            await self.hub.publish_deletion(render)

    async def _get_own(self, caller: Caller, render_id: str) -> Render:
        _require_account(caller)
        return await self._get(caller.id, render_id)

    async def _get(self, owner: str, render_id: str) -> Render:
        render = await self.store.get(render_id, owner=owner) if is_render_id(render_id) else None
        if render is None:
            raise RenderNotFound
        return render

    async def _known_compositions(self) -> KnownCompositions | None:
        return None if self.catalog is None else await self.catalog.read()

    async def _start(self, caller: Caller, valid: RenderInput, *, key: str | None) -> StartResult:
        if self.backend is None:
            raise RenderServiceNotConfigured
        now = self.clock.now()
        window = self.quota_rule.window_at(now, owner=caller.id)
        queued = Render(
            id=new_render_id(now),
            owner=caller.id,
            created_at=now,
            composition_id=valid.composition_id,
            props=valid.props,
            input_props=valid.input_props,
            output_options=valid.output_options,
            media=valid.media,
            generation_id=valid.generation_id,
            idempotency_key=key,
            traceparent=spans.traceparent(),
        )
        result = await asyncio.shield(self._add(queued, window))
        if result.outcome is AddOutcome.OVER_QUOTA:
            self.metrics.quota_refused()
            raise quota_exceeded(window, used=result.used, now=now)
        return StartResult(
            render=result.render,
            quota=quota_left(window, used=result.used),
            duplicate=result.outcome is AddOutcome.DUPLICATE,
        )

    async def _add(self, render: Render, window: QuotaWindow) -> AddResult:
        """Store and publish a render. Shielded from cancellation, so that a stored render is always published."""
        result = await self.store.add(render, window)
        if result.outcome is AddOutcome.ADDED:
            await self._publish(render)
        return result

    async def _change(self, caller: Caller, render_id: str, change: Callable[[Render], Render]) -> Render:
        """Apply `change` to the stored render; retry if the render was changed concurrently."""
        while True:
            render = await self._get_own(caller, render_id)
            changed = change(render)
            if changed is render:
                return render
            if await asyncio.shield(self._record(changed)):
                return changed

    async def _record(self, changed: Render) -> bool:
        """Store and publish a change; return whether it is stored. Shielded from cancellation, as `_add` is."""
        recorded = await self.store.record(changed)
        if recorded:
            await self._publish(changed)
        return recorded

    async def _publish(self, render: Render) -> None:
        """Publish a change and wake the workers, concurrently: each takes seconds if the broker does not respond."""
        await asyncio.gather(self.hub.publish(render), self.hub.wake_workers(render.id))


def _require_account(caller: Caller) -> None:
    if not caller.has_account:
        raise TokenForOneRender
