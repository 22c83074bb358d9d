"""The use cases of renders. Every method that looks up a render takes the caller, and finds only the caller's renders.

Operators can read the renders of all users with `get`, `list` (with `all_users`) and `download`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from weakref import WeakValueDictionary

from services.compositions.catalog import CatalogReader
from services.errors import (
    InvalidAnimation,
    InvalidArgument,
    InvalidInput,
    NotAllowed,
    OutputGone,
    RenderAlreadyFinished,
    RenderNotComplete,
    RenderNotFinished,
    RenderNotFound,
    RenderNotRetryable,
    RenderServiceNotConfigured,
    RenderTokenForbidden,
)
from services.ids import is_render_id
from services.models import (
    Caller,
    Composition,
    Download,
    Quota,
    Render,
    RenderFilter,
    RenderPage,
    RenderStatus,
    StartResult,
)
from services.models.fonts import FontFamily
from services.models.text_layout import TextLayout
from services.observability.metrics import Metrics
from services.ports import Clock, LaysOutTexts, ListsFonts, RenderBackend, RenderStore
from services.realtime.hub import ProgressHub
from services.renders import lifecycle
from services.renders.download_urls import DownloadUrls
from services.renders.file_names import file_name
from services.renders.pages import PageRequest, has_next, has_previous, read_page
from services.renders.quota import QuotaRule, quota_left
from services.renders.render_input import KeyedInput, RenderInput
from services.renders.render_tokens import RenderToken, RenderTokens, check_lifetime, issue_token, require_user_token
from services.renders.requests import RequestLimits, StartRequest
from services.renders.starter import RenderStarter
from services.renders.validation import is_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderService:
    """Starts, returns, lists, cancels, retries and deletes renders, and signs their URLs.

    `backend` is None if the deployment has no renderer; then no render can be started. `catalog` is None if this
    process starts no renders, `tokens` if there is no secret for render tokens. A caller with a render token gets
    `RenderTokenForbidden` from all methods but `get` and `download` of its render. Any async method may raise
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
    _layout_locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @property
    def starter(self) -> RenderStarter:
        """The part that starts renders."""
        return RenderStarter(
            store=self.store,
            backend=self.backend,
            hub=self.hub,
            clock=self.clock,
            metrics=self.metrics,
            quota_rule=self.quota_rule,
            limits=self.limits,
            catalog=self.catalog,
        )

    async def start(self, caller: Caller, request: StartRequest) -> StartResult:
        """Queue a render for one unit of quota.

        If the caller used the idempotency key before, return that render and use no quota. Raises `InvalidAnimation`,
        `InvalidInput`, `IdempotencyKeyReused`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`; none of them uses
        quota.
        """
        require_user_token(caller)
        valid = (await self.starter.validator()).validate(request)
        key = None if request.idempotency_key is None else f"start:{request.idempotency_key}"
        return await self.starter.start(caller, KeyedInput(valid=valid, key=key))

    async def text_layout(self, caller: Caller, request: StartRequest) -> TextLayout | None:
        """Return how the text of an animation is drawn; None if the request is not valid or Remotion draws it.

        A caller gets one layout at a time. Raises `BackendUnavailable`.
        """
        require_user_token(caller)
        backend: object = self.backend
        if not isinstance(backend, LaysOutTexts):
            return None
        try:
            valid = (await self.starter.validator()).validate(request)
        except (InvalidAnimation, InvalidInput):
            return None
        async with self._layout_locks.setdefault(caller.id, asyncio.Lock()):
            return None if valid.props is None else await backend.lay_out(valid.props, valid.output_options)

    async def compositions(self, caller: Caller) -> Sequence[Composition]:
        """Return the compositions that can be rendered, in the site's order; none before they are discovered."""
        require_user_token(caller)
        known = await self.starter.known_compositions()
        return () if known is None else known.catalog.compositions

    async def fonts(self, caller: Caller) -> Sequence[FontFamily]:
        """Return the font families of the renderer; none if Remotion draws texts."""
        require_user_token(caller)
        backend: object = self.backend
        return await backend.font_families() if isinstance(backend, ListsFonts) else ()

    async def retry(self, caller: Caller, render_id: str) -> StartResult:
        """Start a new render with the input of a FAILED or CANCELLED one, for one unit of quota.

        A second retry of the same render returns the render that the first started. Raises `RenderNotFound`,
        `RenderNotRetryable`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`.
        """
        render = await self._get_own(caller, render_id)
        if render.status not in {RenderStatus.FAILED, RenderStatus.CANCELLED}:
            raise RenderNotRetryable(render)
        return await self.starter.start(caller, KeyedInput(valid=RenderInput.of(render), key=f"retry:{render.id}"))

    async def get(self, caller: Caller, render_id: str) -> Render:
        """Return the caller's render, or any user's render for an operator. Raises `RenderNotFound`."""
        if not caller.may_read(render_id):
            raise RenderTokenForbidden
        if not caller.is_operator:
            return await self._get(caller.id, render_id)
        found = await self.store.get_many([render_id]) if is_render_id(render_id) else ()
        if not found:
            raise RenderNotFound
        return found[0]

    async def list(self, caller: Caller, request: PageRequest, *, matching: RenderFilter) -> RenderPage:
        """Return a page of the caller's matching renders, newest first.

        Raises `InvalidArgument`, and `NotAllowed` if a caller who is no operator requests the renders of all users.
        """
        require_user_token(caller)
        for argument, value in {"generationId": matching.generation_id, "batchId": matching.batch_id}.items():
            if not is_plain(value or ""):
                raise InvalidArgument(argument, f"`{argument}` must not contain control characters.")
        if matching.all_users and not caller.is_operator:
            raise NotAllowed
        return await read_page(self.store, request, owner=None if matching.all_users else caller.id, matching=matching)

    async def has_next(self, page: RenderPage) -> bool:
        """Return whether there are older renders after a page that the caller has read."""
        return await has_next(self.store, page)

    async def has_previous(self, page: RenderPage) -> bool:
        """Return whether there are newer renders before a page that the caller has read."""
        return await has_previous(self.store, page)

    async def count(self, page: RenderPage) -> int:
        """Return the number of renders in the list of a page that the caller has read."""
        return await self.store.count(owner=page.owner, matching=page.matching)

    async def quota(self, caller: Caller) -> Quota:
        """Return the caller's quota in the current window, without using any of it."""
        require_user_token(caller)
        now = self.clock.now()
        window = self.quota_rule.window_at(now, owner=caller.id)
        return quota_left(window, used=await self.store.quota_used(window), now=now)

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
            return lifecycle.begin_cancel(render, now=self.clock.now())

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

    def sign(self, render: Render, *, as_attachment: bool = False) -> Download | None:
        """Return a signed URL of the output of a render that the caller has read; None if it has none.

        If `as_attachment`, browsers save the file under a readable name instead of showing it.
        """
        if render.output is None or self.backend is None:
            return None
        name, now = file_name(render) if as_attachment else None, self.clock.now()
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
        """Delete a stored render and publish it. Shielded from cancellation, so that each is published."""
        if await self.store.delete(render.id, owner=render.owner):
            await self.hub.publish_deletion(render)

    async def _get_own(self, caller: Caller, render_id: str) -> Render:
        require_user_token(caller)
        return await self._get(caller.id, render_id)

    async def _get(self, owner: str, render_id: str) -> Render:
        render = await self.store.get(render_id, owner=owner) if is_render_id(render_id) else None
        if render is None:
            raise RenderNotFound
        return render

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
        """Store and publish a change; return whether it is stored. Shielded, so that a stored one is published."""
        if recorded := await self.store.record(changed):
            await self._publish(changed)
        return recorded

    async def record_all(self, changed: Sequence[Render]) -> frozenset[str]:
        """Store and publish changes of renders that were not changed meanwhile; return their ids. Shield it.

        For other services: it does not check the caller.
        """
        recorded = await self.store.record_many(changed)
        await asyncio.gather(*(self._publish(render) for render in changed if render.id in recorded))
        return recorded

    async def _publish(self, render: Render) -> None:
        """Publish a change and wake the workers, concurrently: each takes seconds if the broker does not respond."""
        await asyncio.gather(self.hub.publish(render), self.hub.notify_worker(render.id))
