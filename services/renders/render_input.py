"""The validated input of a render: the fields that its start stores."""

from dataclasses import dataclass

import msgspec

from services.media import Media, OutputOptions
from services.models import AnimationProps, Render


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInput:
    """A valid request, as the fields of a `Render` with the same names."""

    composition_id: str
    props: AnimationProps | None
    input_props: str | None
    output_options: OutputOptions
    media: Media | None
    generation_id: str | None
    batch_id: str | None = None

    @classmethod
    def of(cls, render: Render) -> "RenderInput":
        """Return the input that started a render."""
        return cls(
            composition_id=render.composition_id,
            props=render.props,
            input_props=render.input_props,
            output_options=render.output_options,
            media=render.media,
            generation_id=render.generation_id,
            batch_id=render.batch_id,
        )

    def is_same_as(self, render: Render) -> bool:
        """Return whether the render was started with this input.

        `media` depends on the catalog of that time, and the composition of an animation on the settings. The order of
        keys in JSON objects has no meaning.
        """
        is_same = all(
            getattr(self, name) == getattr(render, name)
            for name in ("props", "output_options", "generation_id", "batch_id")
        )
        is_same_composition = self.props is not None or self.composition_id == render.composition_id
        return is_same and is_same_composition and _is_same_json(self.input_props, render.input_props)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedInput:
    """A valid request and the idempotency key that is stored with its render."""

    valid: RenderInput
    key: str | None


def _is_same_json(one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return one == other
    first, second = (msgspec.json.encode(msgspec.json.decode(text), order="deterministic") for text in (one, other))
    return first == second
