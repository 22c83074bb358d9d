"""The GraphQL type `RenderChange`: an event of a subscription to all renders of a user."""

import strawberry

from schema.render import Render, RenderLoader
from services import models


@strawberry.type(description="A change of one of your renders, or its deletion. Exactly one of the fields is not null.")
class RenderChange:
    render: Render | None = strawberry.field(description="The render in its new state; null if it was deleted.")
    deleted_render_id: strawberry.ID | None = strawberry.field(
        description="The id of the deleted render; null if it was not deleted."
    )

    model: strawberry.Private[models.Render | models.DeletedRender]
    loader: strawberry.Private[RenderLoader]

    @classmethod
    def from_model(cls, event: models.Render | models.DeletedRender, loader: RenderLoader) -> "RenderChange":
        """Return the GraphQL object of a change of a render that the caller may read."""
        if isinstance(event, models.DeletedRender):
            return cls(render=None, deleted_render_id=strawberry.ID(event.id), model=event, loader=loader)
        return cls(render=Render.from_model(event, loader), deleted_render_id=None, model=event, loader=loader)
