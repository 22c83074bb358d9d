"""`.ci/run` names the programs of all tests that are skipped without them, so that none is skipped there."""

import re

import yaml

from services.settings import CHECKOUT

RUN = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
CONTRIBUTING = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_continuous_integration_names_every_program_that_tests_need() -> None:
    *_, last = RUN.strip().replace("\\\n", " ").splitlines()
    named = set(re.findall(r"\b([A-Z]+)=", last))
    assert named == set(re.findall(r"\(`([A-Z]+)=", CONTRIBUTING))
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("*.py"))
    assert [name for name in named if f'"{name}"' not in sources] == []


def test_docker_compose_is_compared_with_its_checksum() -> None:
    (checksum,) = re.findall(r'echo "([0-9a-f]+)  \$COMPOSE"', RUN)
    assert len(checksum) == 64
    assert "sha256sum --check" in RUN


def test_dependabot_updates_actions_base_images_and_stores() -> None:
    updates = yaml.safe_load((CHECKOUT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} >= {"github-actions", "docker", "docker-compose"}
