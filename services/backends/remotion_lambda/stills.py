"""Stills: one invocation that renders, stores the still and then responds.

Its result is kept until the worker has observed it. After a crash of the worker the stored still decides, and its price
is unknown.
"""

import secrets
from dataclasses import dataclass

from services.backends.remotion_lambda.aws import Invocation
from services.backends.remotion_lambda.failure_kinds import BUSY
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.prices import in_usd
from services.backends.remotion_lambda.responses import (
    ErrorResponse,
    FunctionCrash,
    StillResponse,
    parse_crash,
    parse_still,
)
from services.backends.remotion_lambda.starts import NOT_LOADED, start_error
from services.errors import StartUncertain
from services.media import FORMATS, OutputKind
from services.models import Failure, Render
from services.ports import AttemptFailed
from services.storage.aws_errors import broken_function


@dataclass(frozen=True, slots=True, kw_only=True)
class StillResult:
    """How an invocation ended: with the cost of a stored still, if it is known, or with a failure."""

    cost_usd: float | None = None
    failure: Failure | None = None


def is_still(render: Render) -> bool:
    """Return whether the render's output is a still."""
    return FORMATS[render.output_options.format].kind is OutputKind.STILL


class Stills:
    """The results of the stills of this process, by the backend's id of the render."""

    def __init__(self, *, region: str) -> None:
        self._region = region
        self._results: dict[str, StillResult] = {}

    def record(self, invocation: Invocation) -> str:
        """Record how an invocation ended, and return the id of the render. Raises as `RenderBackend.start` does.

        An invocation that failed is recorded under an id that Remotion doesn't know: it was an attempt, since the
        function had run.
        """
        try:
            response = parse_crash(invocation.body) if invocation.crashed else parse_still(invocation.body)
        except ValueError as error:
            raise StartUncertain(f"the function's response can't be parsed: {invocation.body[:500]!r}") from error
        if isinstance(response, StillResponse):
            price = response.estimated_price
            cost = in_usd(price.accrued_so_far, price.currency, self._region) if price else None
            self._results[response.render_id] = StillResult(cost_usd=cost)
            return response.render_id
        return self._record_failure(response)

    def cost_usd(self, render: Render) -> float | None:
        """Return the cost of a stored still; None if it is unknown."""
        result = self._results.get(render.backend_render_id or "")
        return None if result is None else result.cost_usd

    def failed(self, render: Render) -> AttemptFailed | None:
        """Return the failure of the current attempt; None if it is not known to have failed."""
        result = self._results.get(render.backend_render_id or "")
        if result is None or result.failure is None:
            return None
        return AttemptFailed(failure=result.failure, busy=result.failure.code == BUSY.code)

    def forget(self, render: Render) -> None:
        """Drop the result of the current attempt."""
        self._results.pop(render.backend_render_id or "", None)

    def _record_failure(self, response: ErrorResponse | FunctionCrash) -> str:
        if isinstance(response, ErrorResponse):
            failure = classify(response.message, stack=response.stack)
        elif response.error_type in NOT_LOADED:
            raise start_error(broken_function(f"{response.error_type}: {response.error_message}"))
        else:
            failure = classify(response.error_message, name=response.error_type)
        render_id = f"failed-still-{secrets.token_hex(5)}"
        self._results[render_id] = StillResult(failure=failure)
        return render_id
