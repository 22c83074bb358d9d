"""The operating documentation, the runbook, the alerts and the dashboard name exactly the metrics that exist."""

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.observability.metrics import Metrics
from services.settings import CHECKOUT

DOCS = CHECKOUT / "docs"
OPERATING = (DOCS / "operating.md").read_text(encoding="utf-8")
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
ALERTS = (DOCS / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((DOCS / "grafana" / "rendercast.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRIC = re.compile(r"\b(?:rendercast|process)_\w+|\bup(?=[{ ])")  # `up` is Prometheus' own
SUFFIXES = ("", "_bucket", "_sum", "_count")


def metrics() -> dict[str, str]:
    """Return the type of each of our metrics, by name."""
    families = text_string_to_metric_families(Metrics().text().decode())
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in families
        if family.name.startswith("rendercast_")
    }


def series() -> set[str]:
    """Return the time series names that queries may use."""
    names = {
        f"{name}{suffix}" for name, kind in metrics().items() for suffix in (SUFFIXES if kind == "histogram" else [""])
    }
    return names | {"process_cpu_seconds_total", "process_resident_memory_bytes", "up"}


def test_the_table_lists_every_metric_with_its_type_and_no_others() -> None:
    rows = re.findall(r"^\| `(rendercast_\w+)` \| (\w+) \| \S", OPERATING, re.MULTILINE)
    assert dict(rows) == metrics()
    assert len(rows) == len(metrics())


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_queries_metrics_that_exist(panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        queried = set(METRIC.findall(target["expr"]))
        assert queried
        assert queried <= series()


def test_every_metric_is_on_the_dashboard() -> None:
    queried = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    assert [name for name in metrics() if name not in queried] == []


def test_panels_have_unique_ids_and_positions() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_alerts_query_metrics_that_exist() -> None:
    assert set(METRIC.findall(ALERTS)) <= series()


def test_every_alert_is_documented() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert set(re.findall(r"`(Rendercast\w+)`", RUNBOOK)) == set(alerts)
    assert len(alerts) == len(set(alerts))


def test_the_runbook_names_metrics_that_exist() -> None:
    assert set(METRIC.findall(RUNBOOK)) <= series()
