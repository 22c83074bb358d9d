"""The GraphQL type `TextLayout`."""

from base64 import b64encode

import strawberry

from schema.render import MAX_ITEMS
from services.models import text_layout

MAX_RUNS = 500  # each has at least one character, and that is the default limit on a text
_ASSUMED_FONTS = 20


@strawberry.type(description="Neighbouring characters of one line, font and direction. Positions are in pixels.")
class TextRun:
    text: str = strawberry.field(description="The characters, with a hyphen if a word is divided after them.")
    x: float = strawberry.field(description="Where the run starts: its left edge, or its right edge if it is `rtl`.")
    baseline: float = strawberry.field(description="Distance of the baseline from the top of the frame.")
    font: int = strawberry.field(description="Index of its font in `fonts`.")
    rtl: bool = strawberry.field(description="Whether it runs from right to left.")
    start: int = strawberry.field(description="Index of its first grapheme in the whole text.")
    end: int = strawberry.field(description="Index after its last grapheme.")


@strawberry.type(description="A font file with the glyphs of one text only.")
class WebFont:
    id: str = strawberry.field(description="The same id means the same file.")
    data: str = strawberry.field(description="The file, in TrueType or OpenType format, as Base64.")


@strawberry.type(
    description="How the text of an animation is drawn: lines, fonts and timing. Sizes are in pixels before `scale`."
)
class TextLayout:
    width: int = strawberry.field(description="Width of the frame.")
    height: int = strawberry.field(description="Height of the frame.")
    duration_in_frames: int = strawberry.field(description="Length of the animation.")
    fps: float = strawberry.field(description="Frames per second of the animation.")
    font_size: float = strawberry.field(description="The font size that is used.")
    graphemes: int = strawberry.field(
        description="Number of user-perceived characters, which `TYPEWRITER` shows one after the other."
    )
    runs: list[TextRun] = strawberry.field(
        metadata={MAX_ITEMS: MAX_RUNS}, description="The text, line by line, each from left to right."
    )
    fonts: list[WebFont] = strawberry.field(metadata={MAX_ITEMS: _ASSUMED_FONTS}, description="The fonts of the runs.")
    warnings: list[str] = strawberry.field(description="What the video will have in `Render.warnings`.")

    @classmethod
    def from_model(cls, layout: text_layout.TextLayout) -> "TextLayout":
        """Return the GraphQL object of a layout."""
        return cls(
            width=layout.width,
            height=layout.height,
            duration_in_frames=layout.frames,
            fps=layout.fps,
            font_size=layout.font_size,
            graphemes=layout.graphemes,
            runs=[
                TextRun(
                    text=run.text,
                    x=run.x,
                    baseline=run.baseline,
                    font=run.font,
                    rtl=run.is_rtl,
                    start=run.start,
                    end=run.end,
                )
                for run in layout.runs
            ],
            fonts=[WebFont(id=font.id, data=b64encode(font.data).decode()) for font in layout.fonts],
            warnings=list(layout.warnings),
        )
