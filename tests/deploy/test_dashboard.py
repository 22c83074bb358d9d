"""The dashboard of docs/grafana: Prometheus accepts its queries, and its tiles have the colour of the state.

Grafana itself is not tested.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.settings import CHECKOUT
from tests.deploy.test_alerts import needs_promtool, promtool
from tests.support.markdown import anchors

pytestmark = pytest.mark.slow  # starts promtool

DASHBOARD: dict[str, Any] = json.loads((CHECKOUT / "docs" / "grafana" / "rendercast.json").read_text(encoding="utf-8"))
RUNBOOK = (CHECKOUT / "docs" / "runbook.md").read_text(encoding="utf-8")
TILES: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] == "stat"]
LINK = "${runbook:raw}#"
HEALTHY = {
    'up{job="r", instance="api"}': "1x60",
    'rendercast_queue_depth{job="r"}': "3x60",
    'rendercast_queue_oldest_age_seconds{job="r"}': "2x60",
    'rendercast_renders_ended_total{job="r", status="complete"}': "0+1x60",
    'rendercast_worker_capacity{job="r", instance="api"}': "0x60",
    'rendercast_worker_capacity{job="r", instance="worker"}': "25x60",
    'rendercast_store_up{job="r", instance="api"}': "1x60",
    'rendercast_pubsub_up{job="r", instance="api"}': "1x60",
    'rendercast_last_tick_timestamp_seconds{job="r", loop="hub"}': "0+30x60",
    'rendercast_store_failures_total{job="r"}': "0x60",
    'rendercast_pubsub_failures_total{job="r"}': "0x60",
    'rendercast_data_folder_free_bytes{job="r", instance="api"}': "50000000000x60",
    'rendercast_data_folder_free_bytes{job="r", instance="worker"}': " ".join(["NaN"] * 60),
    'rendercast_webhooks_oldest_age_seconds{job="r"}': "20x60",
}
BROKEN = {
    'up{job="r", instance="api"}': "1x60",
    'up{job="r", instance="worker"}': "0x60",
    'rendercast_queue_depth{job="r"}': "20000x60",
    'rendercast_queue_oldest_age_seconds{job="r"}': "900x60",
    'rendercast_renders_ended_total{job="r", status="complete"}': "0+3x60",
    'rendercast_renders_ended_total{job="r", status="failed"}': "0+1x60",
    'rendercast_worker_capacity{job="r", instance="api"}': "0x60",
    'rendercast_store_up{job="r", instance="api"}': "1x60",
    'rendercast_store_up{job="r", instance="worker"}': "0x60",
    'rendercast_pubsub_up{job="r", instance="api"}': "0x60",
    'rendercast_last_tick_timestamp_seconds{job="r", loop="hub"}': "0+0x60",
    'rendercast_store_failures_total{job="r"}': "0+5x60",
    'rendercast_pubsub_failures_total{job="r"}': "0+5x60",
    'rendercast_publish_to_send_lag_seconds_bucket{job="r", le="4"}': "0x60",
    'rendercast_publish_to_send_lag_seconds_bucket{job="r", le="8"}': "0+100x60",
    'rendercast_publish_to_send_lag_seconds_bucket{job="r", le="+Inf"}': "0+100x60",
    'rendercast_data_folder_free_bytes{job="r", instance="api"}': "500000000x60",
    'rendercast_webhooks_oldest_age_seconds{job="r"}': "2000x60",
}
# The value of each tile after 20 minutes, in both.
VALUES = {
    "Renders waiting": (3, 20000),
    "Oldest wait": (2, 900),
    "Failed renders": (0, 0.25),
    "Workers": (1, 0),
    "Store": (1, 0),
    "Redis": (1, 0),
    "Processes down": (0, 1),
    "Stalled loops": (0, 1),
    "Failed calls": (0, 40),
    "Progress delay": (0, 7.96),
    "Free space": (50_000_000_000, 500_000_000),
    "Oldest webhook": (20, 2000),
}


def query(target: dict[str, str]) -> str:
    """Return the query with values of Grafana's variables."""
    return target["expr"].replace("$job", ".+").replace("$__rate_interval", "5m")


def color(tile: dict[str, Any], value: float) -> str:
    """Return the colour that Grafana gives the tile: that of the last threshold that is not above the value."""
    steps = tile["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None
    limits = [step["value"] for step in steps[1:]]
    assert limits == sorted(limits)
    reached = [step["color"] for step in steps if step["value"] is None or step["value"] <= value]
    return str(reached[-1])


def expressions(index: int) -> list[dict[str, Any]]:
    return [
        {"expr": query(tile["targets"][0]), "eval_time": "20m", "exp_samples": [sample(tile["title"], index)]}
        for tile in TILES
    ]


def sample(title: str, index: int) -> dict[str, Any]:
    return {"labels": "{}", "value": VALUES[title][index]}


@needs_promtool
def test_prometheus_accepts_all_queries(tmp_path: Path) -> None:
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    rules = [{"record": f"query:{number}", "expr": query(target)} for number, target in enumerate(targets)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yml")


@needs_promtool
def test_tiles_show_the_state_of_the_deployment(tmp_path: Path) -> None:
    tests = [
        {
            "interval": "30s",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": expressions(index),
        }
        for index, series in enumerate((HEALTHY, BROKEN))
    ]
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"evaluation_interval": "30s", "tests": tests}))
    promtool("test", "rules", tmp_path / "test.yml")


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile["title"])
def test_a_tile_is_green_or_red_and_links_to_the_runbook(tile: dict[str, Any]) -> None:
    healthy, broken = VALUES[tile["title"]]
    assert (color(tile, healthy), color(tile, broken)) == ("green", "red")
    [link] = tile["links"]
    assert link["url"].startswith(LINK)
    assert link["url"].removeprefix(LINK) in anchors(RUNBOOK)


def test_the_tiles_are_the_first_row_and_do_not_overlap() -> None:
    row, *panels = DASHBOARD["panels"]
    assert (row["type"], row["title"]) == ("row", "Status")
    assert panels[: len(TILES)] == TILES
    used = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(used) == len(set(used))
    assert max(x for x, _ in used) < 24
