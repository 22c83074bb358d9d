"""Limits on renders."""

from datetime import timedelta

from pydantic import Field

from services.settings.base import SettingsGroup


class RenderSettings(SettingsGroup):
    """Quota, limits on animations, and download URLs."""

    quota_limit: int = Field(
        5,
        ge=1,
        le=2_147_483_647,  # the largest Int of GraphQL: https://spec.graphql.org/September2025/#sec-Int
        description="Maximum number of renders that a user can start in each window.",
    )
    quota_window_s: int = Field(3600, ge=1, le=86_400, description="Length of a quota window in seconds.")
    max_duration_s: int = Field(20, ge=1, le=3600, description="Maximum duration of an animation in seconds.")
    max_text_length: int = Field(
        500, ge=1, le=10_000, description="Maximum length of an animation's text in characters."
    )
    download_expiry_s: int = Field(3600, ge=1, le=604_800, description="Validity of a download URL in seconds.")

    @property
    def download_expiry(self) -> timedelta:
        """Validity of a download URL."""
        return timedelta(seconds=self.download_expiry_s)
