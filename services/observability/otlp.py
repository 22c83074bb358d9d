"""Checks whether OpenTelemetry's variables configure a collector of traces. Its SDK reads the other variables itself.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Mapping

from services.errors import StartupError

PREFIX = "OTEL_EXPORTER_OTLP_"
PROTOCOL = "http/protobuf"


def exports_traces(variables: Mapping[str, str]) -> bool:
    """Return whether traces are exported. Raises `StartupError` if the variables specify an unsupported protocol."""
    is_off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or variables.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    if not _traces_variable(variables, "ENDPOINT"):
        return False
    protocol = _traces_variable(variables, "PROTOCOL")
    if protocol not in {"", PROTOCOL}:
        raise StartupError(
            f"{PREFIX}PROTOCOL is {protocol}, but only {PROTOCOL} is supported. Unset it, and use the collector's "
            "port for that protocol, usually 4318."
        )
    return True


def _traces_variable(variables: Mapping[str, str], name: str) -> str:
    """Return a variable's value. The variable for traces takes precedence over the one for all signals."""
    return (variables.get(f"{PREFIX}TRACES_{name}") or variables.get(f"{PREFIX}{name}") or "").strip()
