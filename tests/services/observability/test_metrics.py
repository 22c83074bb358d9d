"""Each report changes its own metric, and the metrics follow Prometheus' conventions."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.models import Failure, Output, Render
from services.observability.metrics import Metrics
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.fake_clock import START_OF_TIME
from tests.support.scraping import Samples, samples_of

NOW = START_OF_TIME
LATER = NOW + timedelta(seconds=3)
FAILURE = Failure(code="QUEUE_TIMEOUT", message="Too late.", retryable=True)
OUTPUT = Output(bucket="b", key="k", size_bytes=1)
UNITS = ("seconds", "bytes", "total")
WITHOUT_UNIT = {
    "rendercast_queue_depth",
    "rendercast_running_renders",
    "rendercast_worker_capacity",
    "rendercast_connections",
    "rendercast_subscriptions",
    "rendercast_webhooks_pending",
    "rendercast_skipped_documents",
    "rendercast_store_up",
    "rendercast_pubsub_up",
    "rendercast_compositions",
}


def rendering(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW)


def complete(render: Render) -> Render:
    return lifecycle.complete(rendering(render), output=OUTPUT, cost_usd=None, warnings=(), now=LATER)


def failed(render: Render) -> Render:
    return lifecycle.fail(rendering(render), failure=FAILURE, now=LATER)


def cancelled(render: Render) -> Render:
    return lifecycle.cancel(render, now=LATER)


def ours(metrics: Metrics) -> Samples:
    """Return the series of our own that are not zero, without single buckets."""
    samples = samples_of(metrics.text().decode())
    return {
        series: value
        for series, value in samples.items()
        if value and series.startswith("rendercast_") and "_bucket" not in series
    }


def used() -> Metrics:
    """Return metrics that include those that exist only after a report."""
    metrics = Metrics()
    for calls in (metrics.store, metrics.pubsub):
        observe_s, count_failure = calls.of("operation")
        observe_s(0.1)
        count_failure()
    metrics.register_loop("hub", lambda: NOW)
    return metrics


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda render: render, {"rendercast_renders_started_total": 1}),
        (rendering, {}),
        (
            complete,
            {
                'rendercast_renders_ended_total{code="",status="complete"}': 1,
                'rendercast_render_duration_seconds_count{status="complete"}': 1,
                'rendercast_render_duration_seconds_sum{status="complete"}': 3,
            },
        ),
        (
            failed,
            {
                'rendercast_renders_ended_total{code="QUEUE_TIMEOUT",status="failed"}': 1,
                'rendercast_render_duration_seconds_count{status="failed"}': 1,
                'rendercast_render_duration_seconds_sum{status="failed"}': 3,
            },
        ),
        (
            cancelled,
            {
                'rendercast_renders_ended_total{code="",status="cancelled"}': 1,
                'rendercast_render_duration_seconds_count{status="cancelled"}': 1,
                'rendercast_render_duration_seconds_sum{status="cancelled"}': 3,
            },
        ),
    ],
)
def test_a_change_of_a_render_is_counted(
    make_render: MakeRender, change: Callable[[Render], Render], expected: Samples
) -> None:
    metrics = Metrics()
    metrics.render_changed(change(make_render()))
    assert ours(metrics) == expected


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (Metrics.quota_rejected, {"rendercast_quota_refusals_total": 1}),
        (Metrics.lease_lost, {"rendercast_leases_lost_total": 1}),
        (Metrics.poll_failed, {"rendercast_poll_failures_total": 1}),
        (
            lambda metrics: metrics.set_queue(7, oldest_age_s=2.5),
            {"rendercast_queue_depth": 7, "rendercast_queue_oldest_age_seconds": 2.5, "rendercast_store_up": 1},
        ),
        (lambda metrics: metrics.set_pubsub(is_up=True), {"rendercast_pubsub_up": 1}),
        (lambda metrics: metrics.set_free_space(1e9), {"rendercast_data_folder_free_bytes": 1e9}),
        (
            lambda metrics: metrics.polled(lag_s=(LATER - NOW).total_seconds()),
            {"rendercast_poll_lag_seconds_count": 1, "rendercast_poll_lag_seconds_sum": 3},
        ),
        (
            lambda metrics: metrics.sent(1, published_at=NOW, now=LATER),
            {"rendercast_publish_to_send_lag_seconds_count": 1, "rendercast_publish_to_send_lag_seconds_sum": 3},
        ),
        (
            lambda metrics: metrics.sent(1, published_at=LATER, now=NOW),  # by the clock of another machine
            {"rendercast_publish_to_send_lag_seconds_count": 1},
        ),
        (
            lambda metrics: metrics.register_loop("worker", lambda: NOW),
            {'rendercast_last_tick_timestamp_seconds{loop="worker"}': NOW.timestamp()},
        ),
        (
            lambda metrics: metrics.register_worker(lambda: 3, capacity=25),
            {"rendercast_running_renders": 3, "rendercast_worker_capacity": 25},
        ),
        (lambda metrics: metrics.catalog_refreshed(4), {"rendercast_compositions": 4}),
        (Metrics.catalog_refresh_failed, {"rendercast_discovery_failures_total": 1}),
    ],
)
def test_a_report_changes_its_metrics_and_no_others(report: Callable[[Metrics], None], expected: Samples) -> None:
    metrics = Metrics()
    report(metrics)
    assert ours(metrics) == expected


def test_only_a_limited_number_of_lags_is_stored() -> None:
    metrics = Metrics()
    for _ in range(1200):
        metrics.sent(2, published_at=NOW, now=LATER)
    assert len(metrics._send_lags._uncounted) < 500
    assert ours(metrics)["rendercast_publish_to_send_lag_seconds_count"] == 2400


def test_connections_and_subscriptions_are_counted_while_they_are_open() -> None:
    metrics = Metrics()
    metrics.subscription_opened()
    with metrics.connected(), metrics.connected():
        assert ours(metrics) == {"rendercast_connections": 2, "rendercast_subscriptions": 1}
    metrics.subscription_closed()
    assert ours(metrics) == {}


def test_two_instances_share_no_series() -> None:
    one, other = Metrics(), Metrics()
    one.quota_rejected()
    assert ours(other) == {}


def test_metrics_are_named_for_their_units_and_documented() -> None:
    for family in text_string_to_metric_families(used().text().decode()):
        if not family.name.startswith("process_"):
            assert re.fullmatch(r"rendercast_[a-z_]+", family.name)
            assert family.documentation.endswith(".")
            named = f"{family.name}_total" if family.type == "counter" else family.name
            assert named.rpartition("_")[2] in UNITS or named in WITHOUT_UNIT


def test_labels_have_few_values(make_render: MakeRender) -> None:
    metrics = used()
    before = len(samples_of(metrics.text().decode()))
    for number in range(50):
        render = make_render(owner=f"user-{number}", at=datetime.now(UTC))
        for change in (render, complete(render)):
            metrics.render_changed(change)
    text = metrics.text().decode()
    assert len(samples_of(text)) - before < 25
    assert set(re.findall(r"(\w+)=\"", text)) == {"code", "le", "loop", "operation", "status"}
    assert "user-" not in text


def test_there_are_no_created_series() -> None:
    assert "_created" not in used().text().decode()
