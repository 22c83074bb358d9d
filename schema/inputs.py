"""GraphQL inputs, and their conversion to the models of the services."""

import strawberry

from schema.enums import AnimationStyle, RenderStatus
from services import models


@strawberry.input(description="The animation to render. `renderLimits` returns the accepted ranges.")
class AnimationPropsInput:
    text: str = strawberry.field(
        description="The text to animate. A line feed starts a new line; long lines are wrapped."
    )
    style: AnimationStyle = strawberry.field(description="How the text appears.")
    font_family: str = strawberry.field(
        description="Name of a font, such as Inter. An unknown font is replaced, with a warning on the render."
    )
    font_size: float = strawberry.field(
        description="Font size in pixels of the video. Reduced if the text would not fit."
    )
    color: str = strawberry.field(
        description="Colour of the text in any CSS notation: #ff8800, rgb(255 136 0), orange."
    )
    duration_in_frames: int = strawberry.field(description="Length of the video in frames, at least 1.")
    background_color: str | None = strawberry.field(
        default=None, description="Background colour in any CSS notation. Default: black."
    )
    fps: int = strawberry.field(default=30, description="Frames per second. Only 30 is accepted.")

    def to_model(self) -> models.AnimationProps:
        """Return the props as a model, not yet validated."""
        return models.AnimationProps(
            text=self.text,
            style=models.AnimationStyle[self.style.name],
            font_family=self.font_family,
            font_size=self.font_size,
            color=self.color,
            background_color=self.background_color,
            duration_in_frames=self.duration_in_frames,
            fps=self.fps,
        )


@strawberry.input(description="A render to start.")
class StartRenderInput:
    animation_props: AnimationPropsInput = strawberry.field(description="The animation to render.")
    generation_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="An id of your own, stored with the render, to filter by. At most 200 characters.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "A unique text of at most 200 characters, a new one for each render. A second call with the same key "
            "returns the render of the first call and uses no quota, so a start whose response was lost can be "
            "repeated safely."
        ),
    )


@strawberry.input(description="Which renders to return. A render must match all conditions that are set.")
class RenderFilter:
    status: list[RenderStatus] | None = strawberry.field(
        default=None, description="Only renders with one of these statuses."
    )
    generation_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only renders with this `generationId`."
    )
    all_users: bool = strawberry.field(
        default=False,
        description="Return the renders of all users, not only your own. Requires an operator; otherwise FORBIDDEN.",
    )

    def to_model(self) -> models.RenderFilter:
        """Return the filter as a model, not yet validated."""
        return models.RenderFilter(
            statuses=None
            if self.status is None
            else frozenset(models.RenderStatus[status.name] for status in self.status),
            generation_id=self.generation_id,
            all_users=self.all_users,
        )
