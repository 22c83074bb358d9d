"""The manifests of deploy/kubernetes, as kustomize builds them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.settings import CHECKOUT

KUBECTL = Path(sys.executable).with_name("kubectl")
SOURCES = CHECKOUT / "deploy" / "kubernetes"
SECRETS = {
    "mongodb-url": "mongodb://user:password@mongodb.example.com/rendercast?replicaSet=rs0\n",
    "redis-url": "rediss://user:password@redis.example.com\n",
}

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment or a Job: its manifest, its pod and its only container."""

    manifest: Manifest
    pod: Manifest
    container: Manifest

    @property
    def command(self) -> str:
        """The command of Rendercast that the container runs."""
        (command,) = self.container["args"]
        return str(command)

    @property
    def port_names(self) -> set[str]:
        return {port["name"] for port in self.container.get("ports", [])}

    def port(self, name: str) -> int:
        """Return the number of a port of the container."""
        (number,) = (port["containerPort"] for port in self.container["ports"] if port["name"] == name)
        return int(number)

    def probes(self) -> Iterator[tuple[str, Manifest]]:
        """Yield the names and definitions of the container's probes."""
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe := self.container.get(name):
                yield name, probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The output of a kustomization."""

    manifests: list[Manifest]

    def of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def names(self, kind: str) -> set[str]:
        return {manifest["metadata"]["name"] for manifest in self.of_kind(kind)}

    def workloads(self) -> dict[str, Workload]:
        """Return the workloads by their command."""
        found = (self._workload(manifest) for kind in ("Deployment", "Job") for manifest in self.of_kind(kind))
        return {workload.command: workload for workload in found}

    def settings(self) -> dict[str, str]:
        """Return the settings of the only ConfigMap."""
        (config_map,) = self.of_kind("ConfigMap")
        return dict(config_map["data"])

    @staticmethod
    def _workload(manifest: Manifest) -> Workload:
        pod = manifest["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        return Workload(manifest=manifest, pod=pod, container=container)


def build(folder: Path, *components: str) -> Built:
    """Build the example in a copy of the manifests, with other components if some are named."""
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    example = folder / "example"
    (example / "secrets").mkdir()
    for name, value in SECRETS.items():
        (example / "secrets" / name).write_text(value)
    written = yaml.safe_load((example / "kustomization.yaml").read_text(encoding="utf-8"))
    if components:
        written["components"] = [f"../components/{name}" for name in components]
    (example / "kustomization.yaml").write_text(yaml.safe_dump(written))
    result = subprocess.run([KUBECTL, "kustomize", example], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return Built(manifests=list(yaml.safe_load_all(result.stdout)))
