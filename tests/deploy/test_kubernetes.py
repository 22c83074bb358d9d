"""The manifests are valid for Kubernetes and consistent with each other."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.settings import FIELDS, variable
from tests.deploy.kubernetes import SECRETS, SOURCES, Built, Workload, build

pytestmark = pytest.mark.slow  # starts kubectl

KUBERNETES = ["1.30", "1.37"]  # the oldest with the preStop action `sleep`, and the newest
VARIABLES = {variable(name) for name in FIELDS}
COMPONENTS = {path.name for path in (SOURCES / "components").iterdir()}


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(built: Built, shared_folder: Built, version: str) -> None:
    for manifest in [*built.manifests, *shared_folder.manifests]:
        if manifest["kind"] != "ScaledObject":  # of KEDA
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_base_and_each_component_can_be_built_alone(tmp_path: Path) -> None:
    for number, name in enumerate(sorted(COMPONENTS)):
        assert build(tmp_path / str(number), name).of_kind("Deployment")


def test_every_component_is_built_here() -> None:
    example = yaml.safe_load((SOURCES / "example" / "kustomization.yaml").read_text(encoding="utf-8"))
    used = {Path(name).name for name in example["components"]}
    assert used | {"shared-folder"} == COMPONENTS


def test_everything_is_in_one_namespace(built: Built) -> None:
    (namespace,) = built.names("Namespace")
    others = [manifest for manifest in built.manifests if manifest["kind"] != "Namespace"]
    assert {manifest["metadata"]["namespace"] for manifest in others} == {namespace}


def test_every_file_is_used() -> None:
    for kustomization in SOURCES.rglob("kustomization.yaml"):
        written = yaml.safe_load(kustomization.read_text(encoding="utf-8"))
        files = {path.name for path in kustomization.parent.iterdir() if path.suffix in {".yaml", ".env"}}
        generators = written.get("configMapGenerator", [])
        environments = {name for generator in generators for name in generator.get("envs", [])}
        resources = {name for name in written.get("resources", []) if not name.startswith("..")}
        assert files == {"kustomization.yaml", *resources, *environments}


def test_the_image_is_set_in_one_place(built: Built, workload: Workload) -> None:
    assert workload.container["image"] == "registry.example.com/rendercast:0.4.0"
    assert set(built.workloads()) == {"serve", "worker", "migrate"}


def test_a_workload_uses_the_config_map_the_secret_and_the_account_that_exist(built: Built, workload: Workload) -> None:
    sources = [source["configMapRef"]["name"] for source in workload.container["envFrom"]]
    assert set(sources) == built.names("ConfigMap")
    (secret,) = (volume["secret"]["secretName"] for volume in workload.pod["volumes"] if volume["name"] == "secrets")
    assert {secret} == built.names("Secret")
    assert workload.pod["serviceAccountName"] in built.names("ServiceAccount")


def test_a_workload_mounts_the_volumes_that_it_has(workload: Workload) -> None:
    assert {mount["name"] for mount in workload.container["volumeMounts"]} == {
        volume["name"] for volume in workload.pod["volumes"]
    }


def test_a_selector_selects_the_pods_of_one_workload(built: Built) -> None:
    workloads = built.workloads()
    labels = {name: found.manifest["spec"]["template"]["metadata"]["labels"] for name, found in workloads.items()}
    for kind in ("Deployment", "PodDisruptionBudget"):
        for manifest in built.of_kind(kind):
            assert sum(manifest["spec"]["selector"]["matchLabels"] == found for found in labels.values()) == 1
    for name in ("serve", "worker"):
        for constraint in workloads[name].pod["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"] == labels[name]
    (service,) = built.of_kind("Service")
    assert service["spec"]["selector"] == labels["serve"]


def test_the_service_and_the_ingress_lead_to_the_port_of_the_api(built: Built) -> None:
    (service,), (ingress,) = built.of_kind("Service"), built.of_kind("Ingress")
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] in built.workloads()["serve"].port_names
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]]}]


def test_network_policies_open_the_ports_that_exist(built: Built) -> None:
    opened = {
        policy["metadata"]["name"]: {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        for policy in built.of_kind("NetworkPolicy")
    }
    assert opened == {"rendercast-metrics": {"metrics"}, "rendercast-api": {"http"}}
    assert opened["rendercast-api"] <= built.workloads()["serve"].port_names
    for name in ("serve", "worker"):
        assert opened["rendercast-metrics"] <= built.workloads()[name].port_names


def test_only_prometheus_reaches_the_metrics(built: Built) -> None:
    (policy,) = (each for each in built.of_kind("NetworkPolicy") if each["metadata"]["name"] == "rendercast-metrics")
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_a_disruption_budget_allows_evictions(built: Built) -> None:
    """A budget that allows none blocks the drain of a node."""
    budgets = {budget["metadata"]["name"]: budget["spec"] for budget in built.of_kind("PodDisruptionBudget")}
    assert set(budgets) == built.names("Deployment")
    assert all(budget["maxUnavailable"] == 1 for budget in budgets.values())


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_the_text_renderer_uses_a_folder_that_all_pods_share(shared_folder: Built, name: str) -> None:
    volumes: dict[str, Any] = {volume["name"]: volume for volume in shared_folder.workloads()[name].pod["volumes"]}
    (claim,) = shared_folder.of_kind("PersistentVolumeClaim")
    expected = {"name": "data", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    assert volumes["data"] == expected
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert shared_folder.settings()["RENDERCAST_RENDERER"] == "text"


def test_the_config_map_has_settings_that_exist_and_no_secrets(built: Built, shared_folder: Built) -> None:
    for found in (built, shared_folder):
        assert set(found.settings()) <= VARIABLES
        assert not {"MONGODB_URL", "REDIS_URL", "RENDERCAST_JWT_SECRET"} & set(found.settings())


def test_a_secret_is_read_from_a_file_with_the_name_of_its_key(built: Built) -> None:
    (secret,) = built.of_kind("Secret")
    assert set(secret["data"]) == set(SECRETS)
    for workload in built.workloads().values():
        for entry in workload.container["env"]:
            assert entry["name"].removesuffix("_FILE") in VARIABLES
            assert entry["name"].lower().replace("_", "-") == f"{entry['value'].rpartition('/')[2]}-file"
