"""The choice of renderer, and settings of the text renderer."""

from typing import Literal

from pydantic import Field, field_validator

from services.settings.base import SettingsGroup, renamed


class RendererSettings(SettingsGroup):
    """The choice of renderer, and the size of the text renderer's videos."""

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

    @field_validator("renderer", mode="before")
    @classmethod
    def _accept_former_name(cls, renderer: object) -> object:
        return "text" if renderer == "local" else renderer
