"""The GraphQL type `Composition`."""

import msgspec
import strawberry

from schema.enums import CompositionKind, OutputFormat
from schema.scalars import JSON
from services import models


@strawberry.type(description="Something that this server can render.")
class Composition:
    id: strawberry.ID = strawberry.field(description="Its id, unique on this server.")
    kind: CompositionKind = strawberry.field(description="Whether it is animated.")
    width: int = strawberry.field(description="Width in pixels.")
    height: int = strawberry.field(description="Height in pixels.")
    fps: float = strawberry.field(description="Frames per second.")
    duration_in_frames: int = strawberry.field(
        description="Number of frames with the default props. Other props may change it."
    )
    outputs: list[OutputFormat] = strawberry.field(description="The formats in which it can be rendered.")

    model: strawberry.Private[models.Composition]

    @strawberry.field(description="The props that are used where `startRender` gives none.")
    def default_props(self) -> JSON:
        """Return the default props; both JSON texts can be large, so they are decoded only if they are selected."""
        return JSON(msgspec.json.decode(self.model.default_props))

    @strawberry.field(
        description="JSON Schema (draft 2020-12) of the props; null if the composition has none and accepts any object."
    )
    def props_schema(self) -> JSON | None:
        """Return the schema."""
        schema = self.model.props_schema
        return None if schema is None else JSON(msgspec.json.decode(schema))

    @classmethod
    def from_model(cls, composition: models.Composition) -> "Composition":
        """Return the GraphQL object of a composition."""
        return cls(
            id=strawberry.ID(composition.id),
            kind=CompositionKind(composition.kind),
            width=composition.width,
            height=composition.height,
            fps=composition.fps,
            duration_in_frames=composition.duration_in_frames,
            outputs=[OutputFormat(name) for name in composition.outputs],
            model=composition,
        )
