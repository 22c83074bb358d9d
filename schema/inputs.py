"""What clients send."""

import strawberry

from schema.enums import AnimationStyle, RenderStatus
from services import models


@strawberry.input(description="What to draw. `renderLimits` tells what is accepted.")
class AnimationPropsInput:
    text: str = strawberry.field(description="The text. A line feed begins a new line; long lines are wrapped.")
    style: AnimationStyle = strawberry.field(description="How the text appears.")
    font_family: str = strawberry.field(description="Name of a font, such as Inter. An unknown one gives a warning.")
    font_size: float = strawberry.field(
        description="Size in pixels of the video; drawn smaller if the text would not fit."
    )
    color: str = strawberry.field(
        description="Colour of the text, in any CSS notation: #ff8800, rgb(255 136 0), orange."
    )
    duration_in_frames: int = strawberry.field(description="Length of the video in frames, at least 1.")
    background_color: str | None = strawberry.field(default=None, description="CSS colour behind the text; else black.")
    fps: int = strawberry.field(default=30, description="Frames per second; only 30 is accepted.")

    def to_model(self) -> models.AnimationProps:
        """Return the domain's props, not yet validated."""
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
    animation_props: AnimationPropsInput = strawberry.field(description="What to draw.")
    generation_id: strawberry.ID | None = strawberry.field(
        default=None, description="An id of yours to find the render by, at most 200 characters."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "A text of your choice, at most 200 characters, new for each render you mean to start. A second call with "
            "the same key returns the first call's render and costs no quota, so a lost answer can be asked for again."
        ),
    )


@strawberry.input(description="Which renders to list. Conditions add up; an absent one admits all of yours.")
class RenderFilter:
    status: list[RenderStatus] | None = strawberry.field(default=None, description="Only renders with one of these.")
    generation_id: strawberry.ID | None = strawberry.field(default=None, description="Only renders started with this.")
    all_users: bool = strawberry.field(
        default=False, description="Everybody's renders, not only yours. For operators; a FORBIDDEN error for others."
    )

    def to_model(self) -> models.RenderFilter:
        """Return the domain's filter, not yet validated."""
        return models.RenderFilter(
            statuses=None
            if self.status is None
            else frozenset(models.RenderStatus[status.name] for status in self.status),
            generation_id=self.generation_id,
            all_users=self.all_users,
        )
