"""Adapters whose calls are timed, so that no adapter needs to know of it."""

import inspect
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar, cast

from services.errors import Unavailable
from services.metrics import Calls

Adapter = TypeVar("Adapter")


def timed(adapter: Adapter, calls: Calls) -> Adapter:
    """Return the adapter with each of its coroutine methods timed under its name. All else is the adapter's."""
    return cast("Adapter", _Timed(adapter, calls))


class _Timed:
    def __init__(self, adapter: object, calls: Calls) -> None:
        self._adapter = adapter
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        timed = self._time(attribute, name)
        setattr(self, name, timed)  # and found without this method from now on
        return timed

    def _time(self, call: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        took, failed = self._calls.of(name)

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
