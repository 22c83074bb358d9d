"""Settings of the metrics server."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.settings.base import SettingsGroup
from services.settings.values import check_host


class MetricsSettings(SettingsGroup):
    """Address of the metrics server."""

    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port that serves `/metrics` for Prometheus, and `/healthz`. Unset: none.",
    )
    metrics_host: Annotated[str, AfterValidator(check_host)] = Field(
        "127.0.0.1", description="Address that the metrics port listens on. `::` listens on IPv4 too."
    )
