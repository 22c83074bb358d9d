"""The pods run as the image and the code require."""

import socket
from pathlib import Path

import httpx
import pytest

from cli import cli
from commands.server.metrics_server import METRICS_PATH, serve_metrics
from commands.server.serve import GRACE_S, KEEP_ALIVE_S
from services.runtime.adapters import open_embedded
from services.settings import load_settings, setting_warnings, unknown_variables
from services.webhooks import deliverer
from services.worker.render_run import MAX_LAUNCH_S
from tests.deploy.kubernetes import SECRETS, Built, Workload
from tests.image.dockerfile import dockerfile_text, read
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.slow  # starts kubectl

USER, EXPOSED = (
    next(found.words for found in reversed(read(dockerfile_text())) if found.name == name)
    for name in ("USER", "EXPOSE")
)


def test_a_command_exists(workload: Workload) -> None:
    commands = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
    assert workload.command in commands


def test_a_pod_fulfils_the_restricted_security_standard_which_its_namespace_enforces(
    built: Built, workload: Workload
) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    (namespace,) = built.of_kind("Namespace")
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    pod, container = workload.pod, workload.container
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    assert all({"secret", "emptyDir"} & set(volume) for volume in pod["volumes"])


def test_a_pod_runs_as_the_user_of_the_image(workload: Workload) -> None:
    context = workload.pod["securityContext"]
    assert [f"{context['runAsUser']}:{context['runAsGroup']}"] == USER
    assert context["fsGroup"] == context["runAsGroup"]  # can read the secrets
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"  # does not visit each video at each start


def test_a_pod_gets_no_token_of_kubernetes_and_no_variables_of_services(workload: Workload, built: Built) -> None:
    assert workload.pod["automountServiceAccountToken"] is False
    assert workload.pod["enableServiceLinks"] is False
    assert all(account["automountServiceAccountToken"] is False for account in built.of_kind("ServiceAccount"))


def test_a_container_has_requests_and_a_limit_of_memory(workload: Workload) -> None:
    resources = workload.container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_a_container_can_write_only_to_volumes_of_its_own(workload: Workload) -> None:
    mounted = {mount["mountPath"]: mount for mount in workload.container["volumeMounts"]}
    assert "/tmp" in mounted  # noqa: S108
    assert mounted["/run/secrets/rendercast"]["readOnly"] is True


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_probes_and_prometheus_request_paths_that_exist(built: Built, name: str) -> None:
    workload = built.workloads()[name]
    assert [probe for probe, _ in workload.probes()][:2] == ["startupProbe", "livenessProbe"]
    for _, probe in workload.probes():
        assert probe["httpGet"]["port"] in workload.port_names
    annotations = workload.manifest["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": str(workload.port("metrics"))}
    assert METRICS_PATH == "/metrics"  # the default of the annotation for the path


async def test_probes_succeed_on_the_ports_that_they_name(built: Built, tmp_path: Path) -> None:
    probes = {
        (probe["httpGet"]["port"], probe["httpGet"]["path"])
        for name in ("serve", "worker")
        for _, probe in built.workloads()[name].probes()
    }
    assert ("http", "/readyz") in probes
    async with open_embedded(load_settings(data_dir=tmp_path)) as opened:
        services = rewired(opened, backend=FakeBackend())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            metrics = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with serve(services) as api, serve_metrics(listener, services), httpx.AsyncClient() as client:
                urls = {"http": api, "metrics": metrics}
                for port, path in probes:
                    assert (await client.get(urls[port] + path)).status_code == 200


def test_a_new_pod_has_time_to_start(built: Built) -> None:
    for name in ("serve", "worker"):
        probe = built.workloads()[name].container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 90


def test_an_api_pod_serves_until_load_balancers_stop_sending_requests(built: Built) -> None:
    workload = built.workloads()["serve"]
    wait = workload.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert wait >= 10
    assert workload.pod["terminationGracePeriodSeconds"] >= wait + GRACE_S + deliverer.GRACE_S + 10


def test_a_worker_pod_has_time_to_stop(built: Built) -> None:
    assert built.workloads()["worker"].pod["terminationGracePeriodSeconds"] >= MAX_LAUNCH_S + deliverer.GRACE_S + 30


def test_a_rollout_of_the_api_removes_no_pod_before_another_is_ready(built: Built) -> None:
    strategy = built.workloads()["serve"].manifest["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_load_balancer_waits_longer_than_pings_and_shorter_than_the_api(built: Built) -> None:
    (ingress,) = built.of_kind("Ingress")
    attributes = ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/load-balancer-attributes"]
    seconds = int(attributes.removeprefix("idle_timeout.timeout_seconds="))
    assert load_settings().connections.ping_interval_s < seconds < KEEP_ALIVE_S


@pytest.mark.parametrize("name", ["serve", "worker", "migrate"])
def test_the_environment_of_a_container_has_valid_settings(
    built: Built, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workload = built.workloads()[name]
    monkeypatch.chdir(tmp_path)
    folder = "/run/secrets/rendercast/"
    for variable, value in built.settings().items():
        monkeypatch.setenv(variable, value)
    for entry in workload.container["env"]:
        assert entry["value"].startswith(folder)
        secret = entry["value"].removeprefix(folder)
        (tmp_path / secret).write_text(SECRETS[secret])
        monkeypatch.setenv(entry["name"], str(tmp_path / secret))
    settings = load_settings()
    assert [*unknown_variables(), *setting_warnings(settings, serves=name == "serve")] == []
    assert settings.storage.mongodb_url is not None
    assert (settings.storage.redis_url is not None) or name == "migrate"
    assert [str(settings.server.port), str(settings.metrics.metrics_port)] == EXPOSED
    if name != "migrate":
        assert workload.port("metrics") == settings.metrics.metrics_port
