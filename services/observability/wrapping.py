"""Wraps the calls of adapters, for measuring and tracing, so that no adapter does that itself."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

Adapter = TypeVar("Adapter")
Call = Callable[..., Awaitable[Any]]


def wrap_calls(adapter: Adapter, wrap: Callable[[Call, str], Call]) -> Adapter:
    """Return the adapter with each of its coroutine methods replaced by `wrap(method, name)`.

    `wrap` must return a coroutine function, or the method itself. All other attributes are the adapter's.
    """
    return cast("Adapter", _Wrapped(adapter, wrap))


class _Wrapped:
    def __init__(self, adapter: object, wrap: Callable[[Call, str], Call]) -> None:
        self._adapter = adapter
        self._wrap = wrap

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        wrapped = self._wrap(attribute, name)
        setattr(self, name, wrapped)  # so that each method is looked up and wrapped once
        return wrapped
