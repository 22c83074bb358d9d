"""The example of autoscaling by the age of the queue.

KEDA's ScaledObject becomes a HorizontalPodAutoscaler with an external metric for each trigger:
https://keda.sh/docs/latest/reference/scaledobject-spec/.
"""

import kubernetes_validate
import pytest

from tests.deploy.kubernetes import Built, Manifest

pytestmark = pytest.mark.slow  # starts kubectl


@pytest.fixture(scope="module")
def scaled_object(built: Built) -> Manifest:
    (found,) = built.of_kind("ScaledObject")
    return found


def autoscaler(scaled_object: Manifest) -> Manifest:
    """Return the HorizontalPodAutoscaler that KEDA makes."""
    spec = scaled_object["spec"]
    targets = [(trigger["metricType"], trigger["metadata"]["threshold"]) for trigger in spec["triggers"]]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"keda-hpa-{scaled_object['metadata']['name']}"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", **spec["scaleTargetRef"]},
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": f"s{number}-prometheus"},
                        "target": {"type": kind, kind[0].lower() + kind[1:]: threshold},
                    },
                }
                for number, (kind, threshold) in enumerate(targets)
            ],
        },
    }


def test_the_autoscaler_is_valid_and_scales_the_worker(built: Built, scaled_object: Manifest) -> None:
    made = autoscaler(scaled_object)
    kubernetes_validate.validate(made, "1.37", strict=True)
    worker = built.workloads()["worker"].manifest
    assert made["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert "replicas" not in worker["spec"]  # `kubectl apply` would reset it


def test_workers_are_added_faster_than_removed(scaled_object: Manifest) -> None:
    behavior = autoscaler(scaled_object)["spec"]["behavior"]
    (up,), (down,) = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    assert up["periodSeconds"] < down["periodSeconds"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300


def test_the_age_of_the_queue_and_the_load_decide(scaled_object: Manifest) -> None:
    age, load = scaled_object["spec"]["triggers"]
    assert {trigger["type"] for trigger in (age, load)} == {"prometheus"}
    assert "rendercast_queue_oldest_age_seconds" in age["metadata"]["query"]
    assert "rendercast_running_renders" in load["metadata"]["query"]


def test_all_workers_together_fit_the_default_concurrency_of_aws(built: Built, scaled_object: Manifest) -> None:
    """The rule of docs/deploying.md for videos of 20 s, each of which uses 31 concurrent functions."""
    capacity = int(built.settings()["RENDERCAST_WORKER_CAPACITY"])
    assert scaled_object["spec"]["maxReplicaCount"] * capacity * 31 <= 0.9 * 1000
