"""Pages of renders, as defined by Relay's connection specification."""

from collections.abc import Awaitable
from functools import cached_property

import strawberry

from schema.render import Render, RenderLoader
from services import models
from services.renders.cursors import encode_cursor


@strawberry.type(description="A render in a list, with its cursor.")
class RenderEdge:
    node: Render = strawberry.field(description="The render.")

    page: strawberry.Private[models.RenderPage]

    @strawberry.field(
        description="Pass it as `after` to get the renders after this one, or as `before` to get those before it."
    )
    def cursor(self) -> str:
        """Return the cursor, made when requested: its checksum takes as long as reading five fields."""
        return encode_cursor(self.node.model.id, owner=self.page.owner)


@strawberry.type(description="Position of a page in its list, as defined by Relay's connection specification.")
class PageInfo:
    page: strawberry.Private[models.RenderPage]
    loader: strawberry.Private[RenderLoader]

    @strawberry.field(graphql_type=bool, description="Whether there are older renders after this page.")
    def has_next_page(self) -> "Awaitable[bool] | bool":
        """Return the value, which is read from the store only if it is requested and the page does not show it."""
        return self._has_next if self.page.has_next is None else self.page.has_next

    @strawberry.field(graphql_type=bool, description="Whether there are newer renders before this page.")
    def has_previous_page(self) -> "Awaitable[bool] | bool":
        """Return the value, read like `has_next_page`."""
        return self._has_previous if self.page.has_previous is None else self.page.has_previous

    @cached_property
    def _has_next(self) -> "Awaitable[bool]":
        return self.loader.has_next(self.page)

    @cached_property
    def _has_previous(self) -> "Awaitable[bool]":
        return self.loader.has_previous(self.page)

    @strawberry.field(description="Cursor of the page's first render; null if the page is empty.")
    def start_cursor(self) -> str | None:
        """Return the cursor."""
        renders = self.page.renders
        return encode_cursor(renders[0].id, owner=self.page.owner) if renders else None

    @strawberry.field(description="Cursor of the page's last render; null if the page is empty.")
    def end_cursor(self) -> str | None:
        """Return the cursor."""
        renders = self.page.renders
        return encode_cursor(renders[-1].id, owner=self.page.owner) if renders else None


@strawberry.type(description="A page of renders, newest first.")
class RenderConnection:
    edges: list[RenderEdge] = strawberry.field(description="The renders with their cursors.")
    page_info: PageInfo = strawberry.field(description="Position of this page in the list.")

    page: strawberry.Private[models.RenderPage]
    loader: strawberry.Private[RenderLoader]

    @strawberry.field(
        description="Number of renders in the whole list, with this filter. Counted only if it is requested."
    )
    async def total_count(self) -> int:
        """Return the number of renders."""
        return await self.loader.count(self.page)

    @classmethod
    def from_model(cls, page: models.RenderPage, loader: RenderLoader) -> "RenderConnection":
        """Return the GraphQL object of a page."""
        return cls(
            page=page,
            loader=loader,
            edges=[RenderEdge(node=Render.from_model(render, loader), page=page) for render in page.renders],
            page_info=PageInfo(page=page, loader=loader),
        )
