"""Pages of renders, as defined by Relay's connection specification (https://relay.dev/graphql/connections.htm)."""

from dataclasses import dataclass

from services.errors import InvalidArgument
from services.models import RenderFilter, RenderPage
from services.ports import RenderStore
from services.renders.cursors import decode_cursor

DEFAULT_PAGE = 20
MAX_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The `first` renders, or the `last` ones, between the cursors `after` and `before`.

    An empty cursor is the same as none. Without `first` and `last`, the page has up to `DEFAULT_PAGE` renders.
    """

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    @property
    def size(self) -> int:
        """The maximum number of renders on the page. Raises `InvalidArgument`."""
        if self.first is not None and self.last is not None:
            raise InvalidArgument("last", "Use either `first` or `last`, not both.")
        name, size = ("first", self.first) if self.last is None else ("last", self.last)
        if size is None:
            return DEFAULT_PAGE
        if not 1 <= size <= MAX_PAGE:
            raise InvalidArgument(name, f"`{name}` must be from 1 to {MAX_PAGE}.")
        return size


async def read_page(
    store: RenderStore, request: PageRequest, *, owner: str | None, matching: RenderFilter
) -> RenderPage:
    """Return a page of the owner's list, or of the list of all users if None. Raises `InvalidArgument`.

    What is beyond the cursors is not read.
    """
    size, from_end = request.size, request.last is not None
    after = decode_cursor(request.after, owner=owner, argument="after") if request.after else None
    before = decode_cursor(request.before, owner=owner, argument="before") if request.before else None
    found = await store.list(
        owner=owner, first=size + 1, matching=matching, older_than=after, newer_than=before, oldest_first=from_end
    )
    renders, has_more = found[:size], len(found) > size
    return RenderPage(
        owner=owner,
        matching=matching,
        renders=tuple(reversed(renders) if from_end else renders),
        after=after,
        before=before,
        has_next=True if has_more and not from_end else _unless_cut(before),
        has_previous=True if has_more and from_end else _unless_cut(after),
    )


def _unless_cut(cursor: str | None) -> bool | None:
    """Return None, unknown, if a cursor bounds the page on this side, else False."""
    return False if cursor is None else None


async def has_next(store: RenderStore, page: RenderPage) -> bool:
    """Return whether there are older renders after the page."""
    if page.has_next is not None or page.before is None:
        return bool(page.has_next)
    return await store.exists_older(page.before, owner=page.owner, matching=page.matching)


async def has_previous(store: RenderStore, page: RenderPage) -> bool:
    """Return whether there are newer renders before the page."""
    if page.has_previous is not None or page.after is None:
        return bool(page.has_previous)
    return await store.exists_newer(page.after, owner=page.owner, matching=page.matching)
