"""GraphQL inputs, and their conversion to the models of the services."""

import strawberry

from schema.enums import AnimationStyle, RenderStatus
from schema.output import OutputInput
from schema.scalars import JSON
from services import models
from services.renders.requests import CompositionRequest, StartRequest
from services.renders.text_animation import DEFAULTS


@strawberry.input(description="The animation to render. `renderLimits` returns the accepted ranges.")
class AnimationPropsInput:
    text: str = strawberry.field(
        description="The text to animate. A line feed starts a new line; long lines are wrapped."
    )
    style: AnimationStyle = strawberry.field(
        default=AnimationStyle[DEFAULTS.style.name], description="How the text appears."
    )
    font_family: str = strawberry.field(
        default=DEFAULTS.font_family,
        description=(
            "Name of a font, such as Inter, or a list of names as in CSS. `fonts` lists those of this server. An "
            "unknown font is replaced, with a warning on the render."
        ),
    )
    font_size: float = strawberry.field(
        default=DEFAULTS.font_size,
        description="Font size in pixels of the video before `scale`. Reduced if the text would not fit.",
    )
    font_weight: int = strawberry.field(
        default=DEFAULTS.font_weight,
        description=(
            "Weight of the font, 100 to 900: 400 is regular, 700 is bold. A weight that the font does not have is "
            "replaced by the nearest one, with a warning on the render."
        ),
    )
    italic: bool = strawberry.field(
        default=DEFAULTS.italic,
        description="Use the italic font of the family. If it has none, the text is upright, and a warning says so.",
    )
    color: str = strawberry.field(
        default=DEFAULTS.color,
        description="Colour of the text in any CSS notation: #ff8800, rgb(255 136 0), orange.",
    )
    duration_in_frames: int = strawberry.field(
        default=DEFAULTS.duration_in_frames, description="Length of the video in frames, at least 1."
    )
    background_color: str | None = strawberry.field(
        default=None,
        description="Background colour in any CSS notation. Default: black, or transparent in a transparent output.",
    )
    fps: int = strawberry.field(
        default=DEFAULTS.fps,
        description="Frames per second of the animation. Only 30 is accepted; `output` can choose another rate.",
    )

    def to_model(self) -> models.AnimationProps:
        """Return the props as a model, not yet validated."""
        return models.AnimationProps(
            text=self.text,
            style=models.AnimationStyle[self.style.name],
            font_family=self.font_family,
            font_size=self.font_size,
            font_weight=self.font_weight,
            italic=self.italic,
            color=self.color,
            background_color=self.background_color,
            duration_in_frames=self.duration_in_frames,
            fps=self.fps,
        )


@strawberry.input(description="A composition to render. `compositions` lists those of this server.")
class CompositionInput:
    id: strawberry.ID = strawberry.field(description="Id of the composition, such as `Promo`.")
    props: JSON = strawberry.field(
        description=(
            "An object with the composition's props. Its keys replace those of `Composition.defaultProps`; the result "
            "must match `Composition.propsSchema`, if there is one."
        )
    )

    def to_model(self) -> CompositionRequest:
        """Return the composition and its props, not yet validated."""
        return CompositionRequest(id=self.id, props=self.props)


@strawberry.input(description="A render to start: either an animation or a composition.")
class StartRenderInput:
    animation_props: AnimationPropsInput | None = strawberry.field(
        default=None, description="The animation to render. Not together with `composition`."
    )
    composition: CompositionInput | None = strawberry.field(
        default=None, description="The composition to render. Not together with `animationProps`."
    )
    output: OutputInput | None = strawberry.field(
        default=None,
        description="What to make. Default: an H.264 video in MP4; a PNG of a composition that is a still.",
    )
    generation_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="An id of your own, stored with the render, to filter by. At most 200 characters.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "A unique text of at most 200 characters, a new one for each render. A second call with the same key "
            "returns the render of the first call and uses no quota, so a start whose response was lost can be "
            "repeated safely. A call with the same key and another input is rejected."
        ),
    )

    def to_model(self) -> StartRequest:
        """Return the request, not yet validated."""
        return StartRequest(
            animation=None if self.animation_props is None else self.animation_props.to_model(),
            composition=None if self.composition is None else self.composition.to_model(),
            output=None if self.output is None else self.output.to_model(),
            generation_id=self.generation_id,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="Which renders to return. A render must match all conditions that are set.")
class RenderFilter:
    status: list[RenderStatus] | None = strawberry.field(
        default=None, description="Only renders with one of these statuses."
    )
    generation_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only renders with this `generationId`."
    )
    batch_id: strawberry.ID | None = strawberry.field(default=None, description="Only renders of this batch.")
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
            batch_id=self.batch_id,
            all_users=self.all_users,
        )
