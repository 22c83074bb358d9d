"""The GraphQL type `FontFamily`."""

import strawberry

from services.models.fonts import FontFamily as FontFamilyModel


@strawberry.type(description="A family of fonts that animations can use.")
class FontFamily:
    family: str = strawberry.field(description="Its name, for `AnimationPropsInput.fontFamily`.")
    weights: list[int] = strawberry.field(
        description="Its weights, 100 to 900, in ascending order. A variable font has those between them too."
    )
    italic: bool = strawberry.field(description="Whether it has an italic font.")
    scripts: list[str] = strawberry.field(
        description="The scripts that it has letters of, as ISO 15924 codes such as `Latn`. `Zsye` are emoji."
    )

    @classmethod
    def from_model(cls, family: FontFamilyModel) -> "FontFamily":
        """Return the GraphQL object of a family."""
        return cls(
            family=family.family, weights=list(family.weights), italic=family.italic, scripts=list(family.scripts)
        )
