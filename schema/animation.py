"""The GraphQL type `AnimationProps`."""

import strawberry

from schema.enums import AnimationStyle
from services import models


@strawberry.type(description="The animation of a render.")
class AnimationProps:
    text: str = strawberry.field(description="The animated text. A line feed starts a new line.")
    style: AnimationStyle = strawberry.field(description="How the text appears.")
    font_family: str = strawberry.field(description="The requested font. If another one was used, `warnings` says so.")
    font_size: float = strawberry.field(
        description="Requested font size in pixels of the video. Reduced if the text would not fit."
    )
    font_weight: int = strawberry.field(
        description="The requested weight of the font. If it has another one, `warnings` says so."
    )
    italic: bool = strawberry.field(description="Whether an italic font was requested.")
    color: str = strawberry.field(description="CSS colour of the text.")
    background_color: str | None = strawberry.field(description="CSS colour of the background; black if null.")
    duration_in_frames: int = strawberry.field(description="Length of the video in frames.")
    fps: int = strawberry.field(description="Frames per second.")

    @classmethod
    def from_model(cls, props: models.AnimationProps) -> "AnimationProps":
        """Return the GraphQL object of a render's props."""
        return cls(
            text=props.text,
            style=AnimationStyle(props.style),
            font_family=props.font_family,
            font_size=props.font_size,
            font_weight=props.font_weight,
            italic=props.italic,
            color=props.color,
            background_color=props.background_color,
            duration_in_frames=props.duration_in_frames,
            fps=props.fps,
        )
