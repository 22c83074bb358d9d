"""Queues the renders of valid requests, for units of quota, and checks their idempotency keys."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.compositions.catalog import CatalogReader, KnownCompositions
from services.errors import IdempotencyKeyReused, RenderServiceNotConfigured, StoreUnavailable
from services.ids import new_render_id
from services.models import Caller, QuotaWindow, Render, StartAllResult, StartResult
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import AddOutcome, AddResult, Clock, RenderBackend, RenderStore
from services.realtime.hub import ProgressHub
from services.renders.quota import QuotaRule, quota_exceeded, quota_left
from services.renders.render_input import KeyedInput
from services.renders.requests import RequestLimits, RequestValidator

MAX_TRIES = 10  # of adding renders while concurrent calls use some of their keys


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderStarter:
    """The part of `RenderService` that starts renders. The fields are those of `RenderService`."""

    store: RenderStore
    backend: RenderBackend | None
    hub: ProgressHub
    clock: Clock
    metrics: Metrics
    quota_rule: QuotaRule
    limits: RequestLimits
    catalog: CatalogReader | None

    async def validator(self) -> RequestValidator:
        """Return the validator of requests. Raises `RenderServiceNotConfigured`."""
        if self.backend is None:
            raise RenderServiceNotConfigured
        return RequestValidator(
            site=self.backend.site,
            animation_id=self.backend.animation_composition_id,
            formats=self.backend.formats,
            compositions=await self.known_compositions(),
            limits=self.limits,
        )

    async def known_compositions(self) -> KnownCompositions | None:
        """Return the catalog; None before it is discovered."""
        return None if self.catalog is None else await self.catalog.read()

    async def start(self, caller: Caller, keyed: KeyedInput) -> StartResult:
        """Queue a render for one unit of quota, or return the one that was started with the same key.

        Raises `IdempotencyKeyReused`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`.
        """
        if self.backend is None:
            raise RenderServiceNotConfigured
        now = self.clock.now()
        window = self.quota_rule.window_at(now, owner=caller.id)
        queued = _queued(caller, keyed, render_id=new_render_id(now), now=now)
        result = await asyncio.shield(self._add(queued, window, weight=caller.weight))
        if result.outcome is AddOutcome.OVER_QUOTA:
            self.metrics.quota_rejected()
            raise quota_exceeded(window, used=result.used, now=now)
        if result.outcome is AddOutcome.DUPLICATE:
            _require_same_input(keyed, result.render)
        return StartResult(
            render=result.render,
            quota=quota_left(window, used=result.used, now=now),
            duplicate=result.outcome is AddOutcome.DUPLICATE,
        )

    async def start_all(self, caller: Caller, inputs: Sequence[KeyedInput]) -> StartAllResult:
        """Queue a render of each input whose key was not used before, for one unit of quota each: all or none.

        The keys differ. Ids sort in the order of the inputs. Raises as `start` does.
        """
        now = self.clock.now()
        window = self.quota_rule.window_at(now, owner=caller.id)
        ids = sorted(new_render_id(now) for _ in inputs)
        queued = [
            _queued(caller, keyed, render_id=render_id, now=now) for keyed, render_id in zip(inputs, ids, strict=True)
        ]
        for _ in range(MAX_TRIES):
            known = await self._find_by_keys(caller, inputs)
            new = [render for render in queued if render.idempotency_key not in known]
            used = await asyncio.shield(self._add_all(new, window, now=now, weight=caller.weight))
            if used is not None:
                return StartAllResult(
                    renders=tuple(known.get(render.idempotency_key or "", render) for render in queued),
                    quota=quota_left(window, used=used, now=now),
                    duplicates=len(queued) - len(new),
                )
        raise StoreUnavailable("too many concurrent calls with the same idempotency keys")

    async def _find_by_keys(self, caller: Caller, inputs: Sequence[KeyedInput]) -> dict[str, Render]:
        """Return the renders that were started with the keys of these inputs. Raises `IdempotencyKeyReused`."""
        keys = {keyed.key: keyed for keyed in inputs if keyed.key is not None}
        known = dict(await self.store.find_by_keys(caller.id, keys)) if keys else {}
        for key, render in known.items():
            _require_same_input(keys[key], render)
        return known

    async def _add(self, render: Render, window: QuotaWindow, *, weight: float) -> AddResult:
        """Store and publish a render. Shielded from cancellation, so that a stored render is always published."""
        result = await self.store.add(render, window, weight=weight)
        if result.outcome is AddOutcome.ADDED:
            await self.hub.publish_queued([render])
        return result

    async def _add_all(
        self, renders: Sequence[Render], window: QuotaWindow, *, now: datetime, weight: float
    ) -> int | None:
        """Store and publish renders, shielded as `_add` is; return the used units, or None if a key is used by now."""
        if not renders:
            return await self.store.quota_used(window)
        result = await self.store.add_many(renders, window, weight=weight)
        if result.outcome is AddOutcome.OVER_QUOTA:
            self.metrics.quota_rejected()
            raise quota_exceeded(window, used=result.used, now=now, wanted=len(renders))
        if result.outcome is AddOutcome.DUPLICATE:
            return None
        await self.hub.publish_queued(renders)
        return result.used


def _queued(caller: Caller, keyed: KeyedInput, *, render_id: str, now: datetime) -> Render:
    valid = keyed.valid
    return Render(
        id=render_id,
        owner=caller.id,
        created_at=now,
        composition_id=valid.composition_id,
        props=valid.props,
        input_props=valid.input_props,
        output_options=valid.output_options,
        media=valid.media,
        generation_id=valid.generation_id,
        batch_id=valid.batch_id,
        idempotency_key=keyed.key,
        traceparent=spans.traceparent(),
    )


def _require_same_input(keyed: KeyedInput, render: Render) -> None:
    """Raise `IdempotencyKeyReused` if the render of the key was started with another input."""
    if not keyed.valid.is_same_as(render):
        raise IdempotencyKeyReused(render)
