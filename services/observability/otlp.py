"""Whether OpenTelemetry's own variables name a collector of traces. What else they say, its packages read themselves.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Mapping

from services.errors import StartupError

PREFIX = "OTEL_EXPORTER_OTLP_"
PROTOCOL = "http/protobuf"


def names_collector(variables: Mapping[str, str]) -> bool:
    """Return whether traces are to be sent. Raises `StartupError` if that is asked for as it can't be done."""
    is_off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or variables.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    if not _of_traces(variables, "ENDPOINT"):
        return False
    protocol = _of_traces(variables, "PROTOCOL")
    if protocol not in {"", PROTOCOL}:
        raise StartupError(
            f"{PREFIX}PROTOCOL asks for {protocol}, but traces are sent by {PROTOCOL} only. Leave it out, "
            "and name the collector's port for that, usually 4318."
        )
    return True


def _of_traces(variables: Mapping[str, str], name: str) -> str:
    """Return a variable's value: that for traces alone goes before that for everything."""
    return (variables.get(f"{PREFIX}TRACES_{name}") or variables.get(f"{PREFIX}{name}") or "").strip()
