"""compose.yaml as YAML."""

import re
from typing import Any

import yaml

from services.settings import CHECKOUT

COMPOSE_FILE = CHECKOUT / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "rendercast"}
STORES = {name: service for name, service in SERVICES.items() if name not in OURS}
LASTING = {name: service for name, service in OURS.items() if name != "migrate"}
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


def script(service: str) -> str:
    """Return the shell script that a service runs, as the container's shell gets it."""
    *_, text = SERVICES[service]["command"]
    return str(text).replace("$$", "$")
