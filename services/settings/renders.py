"""Limits on renders."""

from datetime import timedelta

from pydantic import Field

from services.settings.base import SettingsGroup

UHD_PIXELS = 3840 * 2160
FPS = 30


class RenderSettings(SettingsGroup):
    """Quota, limits on animations and outputs, and download URLs."""

    quota_limit: int = Field(
        5,
        ge=1,
        le=2_147_483_647,  # the largest Int of GraphQL: https://spec.graphql.org/September2025/#sec-Int
        description="Maximum number of renders that a user can start in each window.",
    )
    quota_window_s: int = Field(3600, ge=1, le=86_400, description="Length of a quota window in seconds.")
    max_duration_s: int = Field(
        20, ge=1, le=3600, description="Maximum duration of a video, GIF or audio file in seconds."
    )
    max_text_length: int = Field(
        500, ge=1, le=10_000, description="Maximum length of an animation's text in characters."
    )
    max_pixels: int | None = Field(
        None,
        ge=1_000_000,
        le=2**53,  # exact in JavaScript
        description="Maximum number of pixels of an output: width times height times frames. Default: those of a video "
        "in 4K (3840 by 2160) at 30 frames per second and of the maximum duration.",
    )
    max_props_bytes: int = Field(
        256 * 1024,
        ge=1024,
        le=512 * 1024,
        description="Maximum size of a composition's props in bytes of JSON. `RENDERCAST_MAX_BODY_BYTES` should be "
        "twice as much, for the rest of the request and for escapes.",
    )
    download_expiry_s: int = Field(3600, ge=1, le=604_800, description="Validity of a download URL in seconds.")

    @property
    def pixel_limit(self) -> int:
        """Maximum number of pixels of an output."""
        return UHD_PIXELS * FPS * self.max_duration_s if self.max_pixels is None else self.max_pixels

    @property
    def download_expiry(self) -> timedelta:
        """Validity of a download URL."""
        return timedelta(seconds=self.download_expiry_s)
