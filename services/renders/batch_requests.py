"""The request for several renders, and its validation: every render is validated before any is started."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

from services.errors import BackendUnavailable, InvalidAnimation, InvalidInput, PathProblem
from services.models.batches import MAX_ADDED
from services.renders.render_input import KeyedInput
from services.renders.requests import ANIMATION_PATH, BatchRequest, RequestValidator
from services.renders.validation import KEY_RULE, is_key, key_problems

MAX_PROBLEMS = 100  # that are reported of one request; a further one says that there are more
KEY_FIELDS = frozenset({"generationId", "idempotencyKey"})


async def validate_batch(
    request: BatchRequest, validator: RequestValidator, *, take_turn: Callable[[], Awaitable[None]]
) -> Sequence[KeyedInput]:
    """Return the inputs to store, in order. Calls `take_turn` before each render. Raises `InvalidInput`.

    Raises `BackendUnavailable` if no problem was found, but the catalog isn't known.
    """
    problems = list(_own_problems(request))
    inputs: list[KeyedInput] = []
    unavailable: BackendUnavailable | None = None
    for index, each in enumerate(request.renders[:MAX_ADDED]):
        await take_turn()
        try:
            valid = validator.validate(each)
        except (InvalidAnimation, InvalidInput) as error:
            problems.extend(_of_render(index, error))
        except BackendUnavailable as error:
            unavailable = error
        else:
            inputs.append(KeyedInput(valid=replace(valid, batch_id=request.batch_id), key=_key(request, index)))
    if problems:
        raise InvalidInput(_first(problems))
    if unavailable is not None:
        raise unavailable
    return inputs


def batch_id_problems(batch_id: str) -> Sequence[PathProblem]:
    """Return the problems of an id that a caller gives a batch."""
    return () if is_key(batch_id) else (PathProblem(path="/batchId", message=f"{KEY_RULE}."),)


def _own_problems(request: BatchRequest) -> Iterator[PathProblem]:
    yield from batch_id_problems(request.batch_id)
    for problem in key_problems(generation_id=None, idempotency_key=request.idempotency_key):
        yield PathProblem(path=f"/{problem.field}", message=problem.message)
    if not 1 <= len(request.renders) <= MAX_ADDED:
        yield PathProblem(path="/renders", message=f"Give 1 to {MAX_ADDED} renders.")
    first: dict[str, int] = {}
    for index, each in enumerate(request.renders[:MAX_ADDED]):
        key = each.idempotency_key
        if key is not None and (other := first.setdefault(key, index)) != index:
            message = f"This is also the key of /renders/{other}. Give each render a key of its own."
            yield PathProblem(path=f"/renders/{index}/idempotencyKey", message=message)


def _of_render(index: int, error: InvalidAnimation | InvalidInput) -> Iterator[PathProblem]:
    place = f"/renders/{index}"
    if isinstance(error, InvalidInput):
        for each in error.problems:
            yield PathProblem(path=place + each.path, message=each.message)
        return
    for problem in error.problems:
        holder = place if problem.field in KEY_FIELDS else place + ANIMATION_PATH
        yield PathProblem(path=f"{holder}/{problem.field}", message=problem.message)


def _first(problems: Sequence[PathProblem]) -> Sequence[PathProblem]:
    more = len(problems) - MAX_PROBLEMS
    if more <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], PathProblem(path="/renders", message=f"There are {more} more problems.")]


def _key(request: BatchRequest, index: int) -> str | None:
    """Return the key to store with a render. Keys of its own are shared with `startRender`."""
    own, common = request.renders[index].idempotency_key, request.idempotency_key
    if own is not None:
        return f"start:{own}"
    return None if common is None else f"batch:{index}:{common}"
