"""All settings, in groups by subject. Each part of the program gets the group that it needs."""

from services.settings.auth import AuthSettings
from services.settings.base import CHECKOUT
from services.settings.connections import ConnectionSettings
from services.settings.environment import PLATFORM_VARIABLES
from services.settings.graphql import GraphQLSettings
from services.settings.groups import (
    FIELDS,
    GROUPS,
    Settings,
    former_variables,
    variable,
)
from services.settings.loading import default_settings, load_settings, read_settings
from services.settings.logs import LoggingSettings
from services.settings.metrics import MetricsSettings
from services.settings.outputs import OutputSettings
from services.settings.own_machines import OwnMachineSettings
from services.settings.pages import PageSettings
from services.settings.remotion import RemotionSettings
from services.settings.renderer import RendererSettings
from services.settings.renders import RenderSettings
from services.settings.server import ServerSettings
from services.settings.storage import StorageSettings
from services.settings.warnings import setting_warnings, unknown_variables
from services.settings.webhooks import WebhookSettings
from services.settings.worker import WorkerSettings

__all__ = [
    "CHECKOUT",
    "FIELDS",
    "GROUPS",
    "PLATFORM_VARIABLES",
    "AuthSettings",
    "ConnectionSettings",
    "GraphQLSettings",
    "LoggingSettings",
    "MetricsSettings",
    "OutputSettings",
    "OwnMachineSettings",
    "PageSettings",
    "RemotionSettings",
    "RenderSettings",
    "RendererSettings",
    "ServerSettings",
    "Settings",
    "StorageSettings",
    "WebhookSettings",
    "WorkerSettings",
    "default_settings",
    "former_variables",
    "load_settings",
    "read_settings",
    "setting_warnings",
    "unknown_variables",
    "variable",
]
