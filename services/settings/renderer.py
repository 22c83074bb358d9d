"""The choice of renderer, and settings of the text renderer."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from services.settings.base import SettingsGroup, renamed


class RendererSettings(SettingsGroup):
    """The choice of renderer, and the size and fonts of the text renderer's videos."""

    renderer: Literal["lambda", "node", "text"] | None = Field(
        None,
        description="`lambda` renders on Remotion Lambda, `node` renders your Remotion project on this machine, `text` "
        "renders texts on this machine. Default: `text` in `dev`, `lambda` in `serve` and `worker`.",
    )
    text_width: int = Field(
        1280,
        ge=16,
        le=3840,
        multiple_of=2,
        validation_alias=renamed("TEXT_WIDTH", "LOCAL_WIDTH"),
        description="Width of the text renderer's videos in pixels.",
    )
    text_height: int = Field(
        720,
        ge=16,
        le=2160,
        multiple_of=2,
        validation_alias=renamed("TEXT_HEIGHT", "LOCAL_HEIGHT"),
        description="Height of the text renderer's videos in pixels.",
    )

    fonts_dir: Path | None = Field(
        None,
        description="Folder of your own fonts (TTF, OTF and TTC files) for the text renderer, the same in API "
        "processes and workers. It is read at the start. The studio serves them as web fonts. Unset: none.",
    )

    @field_validator("renderer", mode="before")
    @classmethod
    def _accept_former_name(cls, renderer: object) -> object:
        return "text" if renderer == "local" else renderer
