"""Settings of the webhooks that this server sends."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.settings.base import SettingsGroup
from services.settings.values import check_webhook_url


class WebhookSettings(SettingsGroup):
    """The webhook that is sent when a render or a batch ends, as described in [webhooks.md](webhooks.md)."""

    webhook_url: Annotated[str, AfterValidator(check_webhook_url)] | None = Field(
        None,
        description="URL that receives a signed POST request when a render or a batch ends. Unset: none is sent.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Signing secret in the format of Standard Webhooks, `whsec_…`. During a rotation: several, "
        "separated by spaces.",
    )
    webhook_networks: str = Field(
        "",
        description="Private networks to which webhooks may be sent, over http too, separated by commas.",
    )
    webhook_timeout_s: float = Field(
        20, gt=0, le=60, description="Maximum time for the receiver's response, in seconds."
    )
