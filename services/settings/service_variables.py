"""Recognises the environment variables that Kubernetes sets for Services.

For each Service of a pod's namespace, Kubernetes sets variables whose names start with the Service's name:
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables. A Service `rendercast` sets
`RENDERCAST_PORT=tcp://10.0.0.1:8000`, which is not meant as a setting.
"""

import re
from collections.abc import Collection, Mapping

PORT_SUFFIX = "_PORT"
ADDRESS = re.compile(r"(?:tcp|udp|sctp)://(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
OTHER_NAMES = re.compile(
    r".+_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)


def is_service_variable(name: str, value: str) -> bool:
    """Return whether name and value have the form of a variable that Kubernetes sets for a Service."""
    if name.endswith(PORT_SUFFIX) and ADDRESS.fullmatch(value):
        return True
    return OTHER_NAMES.fullmatch(name) is not None


def service_warning(variables: Mapping[str, str], settings: Collection[str]) -> str | None:
    """Return a sentence about all `settings`, by variable, that have such a value; None if there is none."""
    found = sorted(name for name in settings if is_service_variable(name, variables.get(name, "")))
    if not found:
        return None
    services = [f"`{name.removesuffix(PORT_SUFFIX).lower().replace('_', '-')}`" for name in found]
    are, of = ("is", "the Service") if len(found) == 1 else ("are", "the Services")
    return (
        f"{' and '.join(found)} {are} ignored: Kubernetes set {'it' if len(found) == 1 else 'them'} for {of} "
        f"{' and '.join(services)}; set `enableServiceLinks: false` in the pod's specification."
    )
