"""The alerts of docs/prometheus, tested by Prometheus' own tool and against the runbook."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.settings import CHECKOUT
from tests.deploy.kubernetes import Built
from tests.support.markdown import anchors

pytestmark = pytest.mark.slow  # starts promtool

ALERTS = CHECKOUT / "docs" / "prometheus" / "alerts.yml"
TESTS = Path(__file__).with_name("alerts_test.yml")
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
MINUTES = re.compile(r"(\d+)m")


def promtool(*arguments: str | Path) -> None:
    result = subprocess.run(
        [PROMTOOL or "promtool", *arguments], capture_output=True, text=True, check=False, cwd=CHECKOUT
    )
    assert result.returncode == 0, result.stdout + result.stderr


def expectations() -> Iterator[tuple[str, bool]]:
    """Yield the name of an alert and whether it is expected to fire, for each test in `alerts_test.yml`."""
    for group in yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]:
        for test in group["alert_rule_test"]:
            yield test["alertname"], bool(test.get("exp_alerts"))


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", ALERTS)


@needs_promtool
def test_alerts_fire_when_they_should_and_not_at_one_failed_call() -> None:
    promtool("test", "rules", TESTS)


@needs_promtool
def test_prometheus_accepts_the_documented_configurations(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    text = (CHECKOUT / "docs" / "operating.md").read_text(encoding="utf-8")
    documented = re.findall(r"^```yaml\n(scrape_configs:\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(documented) == 2
    for written in map(yaml.safe_load, documented):
        (job,) = written["scrape_configs"]
        assert job["job_name"] == "rendercast"  # in the alerts' expressions
        job.pop("kubernetes_sd_configs", None)  # Debian builds Prometheus without it
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(written))
        promtool("check", "config", tmp_path / "prometheus.yml")


@needs_promtool
def test_prometheus_accepts_the_queries_of_autoscaling(built: Built, tmp_path: Path) -> None:
    (scaled_object,) = built.of_kind("ScaledObject")
    queries = [trigger["metadata"]["query"] for trigger in scaled_object["spec"]["triggers"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "autoscaling", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_test_that_it_fires_and_one_that_it_does_not(rule: dict[str, Any]) -> None:
    assert {fires for name, fires in expectations() if name == rule["alert"]} == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_links_to_a_section_of_the_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors((CHECKOUT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_lasts_for_minutes_before_it_fires(rule: dict[str, Any]) -> None:
    (minutes,) = MINUTES.fullmatch(rule["for"]).groups()  # type: ignore[union-attr]
    assert int(minutes) >= 3
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if "unavailable" in rule["alert"].lower()], ids=str)
def test_one_failed_call_leaves_the_window_before_the_alert_fires(rule: dict[str, Any]) -> None:
    (window,) = re.findall(r"increase\(\w+\[(\d+)m\]\)", rule["expr"])
    (minutes,) = MINUTES.fullmatch(rule["for"]).groups()  # type: ignore[union-attr]
    assert int(window) < int(minutes)


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if " / " in rule["expr"] or "quantile" in rule["expr"]],
    ids=lambda rule: rule["alert"],
)
def test_a_share_or_a_percentile_needs_a_minimum_count(rule: dict[str, Any]) -> None:
    assert re.search(r"\band sum\(increase\(.+\)\) > \d+$", rule["expr"])
