"""Adapters with something around each of their calls, so that no adapter needs to know of it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

Adapter = TypeVar("Adapter")
Call = Callable[..., Awaitable[Any]]


def around(adapter: Adapter, wrap: Callable[[Call, str], Call]) -> Adapter:
    """Return the adapter with `wrap` around each of its coroutine methods, given with its name.

    What `wrap` returns must be a coroutine function, or the method itself. All else is the adapter's.
    """
    return cast("Adapter", _Around(adapter, wrap))


class _Around:
    def __init__(self, adapter: object, wrap: Callable[[Call, str], Call]) -> None:
        self._adapter = adapter
        self._wrap = wrap

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        wrapped = self._wrap(attribute, name)
        setattr(self, name, wrapped)  # and found without this method from now on
        return wrapped
