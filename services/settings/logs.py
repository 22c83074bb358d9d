"""Settings of the log."""

from typing import Literal

from pydantic import Field

from services.settings.base import SettingsGroup


class LoggingSettings(SettingsGroup):
    """Level and format of the log."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of log messages: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["text", "json"] | None = Field(
        None, description="Log format: `text` or `json`. Default: `text` in `dev`, `json` in `serve` and `worker`."
    )
