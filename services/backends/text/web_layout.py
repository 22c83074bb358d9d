"""Describes a layout for browsers, with fonts that contain only its glyphs."""

from hashlib import sha256
from typing import Final

from services.backends.text.harfbuzz import Font
from services.backends.text.job import Job
from services.backends.text.layout import Layout
from services.models.text_layout import TextLayout, TextRun, WebFont

_ID_LENGTH: Final = 16  # hexadecimal digits
_MAX_FONTS_BYTES: Final = 700 * 1024  # as Base64, they fit in a result of the API; 500 emoji have up to 900 KiB


def web_layout(job: Job, layout: Layout, warnings: tuple[str, ...]) -> TextLayout | None:
    """Return the layout, before `job.scale`, with fonts for its characters; None if these are too large to send."""
    fonts = list(dict.fromkeys(run.font for run in layout.runs))
    web_fonts = tuple(_web_font(font, "".join(run.text for run in layout.runs if run.font is font)) for font in fonts)
    if sum(len(font.data) for font in web_fonts) > _MAX_FONTS_BYTES:
        return None
    return TextLayout(
        width=job.width,
        height=job.height,
        frames=job.frames,
        fps=job.fps,
        font_size=layout.size,
        graphemes=layout.grapheme_count,
        runs=tuple(
            TextRun(
                text=run.text,
                x=run.x,
                baseline=run.baseline,
                font=fonts.index(run.font),
                is_rtl=run.is_rtl,
                start=run.start,
                end=run.end,
            )
            for run in layout.runs
        ),
        fonts=web_fonts,
        warnings=warnings,
    )


def _web_font(font: Font, text: str) -> WebFont:
    data = font.subset(text)
    return WebFont(id=sha256(data).hexdigest()[:_ID_LENGTH], data=data)
