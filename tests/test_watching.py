"""What is written for those who watch a production names what there is."""

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.observability.metrics import Metrics
from services.settings import CHECKOUT

DOCS = CHECKOUT / "docs"
OPERATING = (DOCS / "operating.md").read_text(encoding="utf-8")
ALERTS = (DOCS / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((DOCS / "grafana" / "rendercast.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRIC = re.compile(r"\b(?:rendercast|process)_\w+")
SUFFIXES = ("", "_bucket", "_sum", "_count")


def metrics() -> dict[str, str]:
    """Return each of our metrics and its type."""
    families = text_string_to_metric_families(Metrics().text().decode())
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in families
        if family.name.startswith("rendercast_")
    }


def series() -> set[str]:
    """Return the names that queries may use."""
    names = {
        f"{name}{suffix}" for name, kind in metrics().items() for suffix in (SUFFIXES if kind == "histogram" else [""])
    }
    return names | {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def test_the_table_has_every_metric_with_its_type_and_no_others() -> None:
    rows = re.findall(r"^\| `(rendercast_\w+)` \| (\w+) \| \S", OPERATING, re.MULTILINE)
    assert dict(rows) == metrics()
    assert len(rows) == len(metrics())


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_that_exist(panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        asked = set(METRIC.findall(target["expr"]))
        assert asked
        assert asked <= series()


def test_every_metric_is_on_the_dashboard() -> None:
    asked = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    assert [name for name in metrics() if name not in asked] == []


def test_panels_have_ids_and_places_of_their_own() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in everything}) == len(everything)


def test_alerts_ask_for_metrics_that_exist() -> None:
    assert set(METRIC.findall(ALERTS)) <= series()


def test_every_alert_is_explained() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert re.findall(r"^\| `(Rendercast\w+)` \| \S", OPERATING, re.MULTILINE) == alerts
