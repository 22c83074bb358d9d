"""Adapters whose calls are timed."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from services.errors import Unavailable
from services.observability.metrics import Calls
from services.observability.wrapping import Adapter, Call, around


def timed(adapter: Adapter, calls: Calls) -> Adapter:
    """Return the adapter with each of its coroutine methods timed under its name. All else is the adapter's."""
    return around(adapter, lambda call, name: _timed(call, *calls.of(name)))


def _timed(call: Call, took: Callable[[float], None], failed: Callable[[], None]) -> Call:
    @wraps(call)
    async def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return await call(*args, **options)
        except Unavailable:
            failed()
            raise
        finally:
            took(time.perf_counter() - began)

    return timed
