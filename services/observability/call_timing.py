"""Measures the duration of calls to adapters."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from services.errors import Unavailable
from services.observability.durations import CallMetrics
from services.observability.wrapping import Adapter, Call, wrap_calls


def timed(adapter: Adapter, metrics: CallMetrics) -> Adapter:
    """Return the adapter, with the duration of each call of a coroutine method reported under the method's name."""
    return wrap_calls(adapter, lambda call, name: _timed(call, *metrics.of(name)))


def _timed(call: Call, observe_s: Callable[[float], None], count_failure: Callable[[], None]) -> Call:
    @wraps(call)
    async def timed(*args: Any, **options: Any) -> Any:
        started_s = time.perf_counter()
        try:
            return await call(*args, **options)
        except Unavailable:
            count_failure()
            raise
        finally:
            observe_s(time.perf_counter() - started_s)

    return timed
