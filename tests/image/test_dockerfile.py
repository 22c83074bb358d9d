"""Static checks of the Dockerfile and the build context."""

import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from services.settings import CHECKOUT
from tests.image.context import NOT_FOR_THE_IMAGE, checkout_in_use, context_of
from tests.image.dockerfile import Instruction, dockerfile_text, read, read_stages

HADOLINT = Path(sys.executable).with_name("hadolint")
GUIDE = CHECKOUT / "docs" / "own-machines.md"
INSTRUCTIONS = read(dockerfile_text())
FROMS = [number for number, instruction in enumerate(INSTRUCTIONS) if instruction.name == "FROM"]
LAST_STAGE = INSTRUCTIONS[FROMS[-1] :]


def named(name: str, among: list[Instruction]) -> list[Instruction]:
    return [instruction for instruction in among if instruction.name == name]


def documented_dockerfile() -> str:
    """Return the Dockerfile of a user's project in the guide."""
    [found] = re.findall(r"^```dockerfile\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.parametrize("text", [dockerfile_text(), documented_dockerfile()], ids=["ours", "documented"])
def test_hadolint_reports_nothing(text: str) -> None:
    found = subprocess.run(
        [HADOLINT, "--no-color", "--failure-threshold", "style", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_the_documented_dockerfile_of_a_project_fits_the_image() -> None:
    base, copy, install = read(documented_dockerfile())
    [settings] = [found.pairs for found in INSTRUCTIONS if found.name == "ENV" and "REMOTION_PROJECT" in found.text]
    assert base.text == "rendercast:node"
    assert copy.words == [".", settings["REMOTION_PROJECT"]]
    assert install.words == ["npm", "ci", "--prefix", settings["REMOTION_PROJECT"]]
    [user] = named("USER", LAST_STAGE)
    [home] = [found.pairs["HOME"] for found in named("ENV", LAST_STAGE) if "HOME" in found.pairs]
    number = user.text.split(":")[0]
    assert copy.flags == {"chown": number}
    assert install.flags == {"mount": f"type=cache,target={home}/.npm,uid={number}"}


def test_every_base_image_names_an_exact_version_and_a_distribution() -> None:
    stages = {instruction.words[2] for instruction in named("FROM", INSTRUCTIONS) if len(instruction.words) > 1}
    bases = {instruction.words[0] for instruction in named("FROM", INSTRUCTIONS)} - stages - {"${VARIANT}"}
    assert [base for base in bases if not re.fullmatch(r"\w+:\d+\.\d+\.\d+-(slim-)?[a-z]+(-slim)?", base)] == []


def test_python_is_the_oldest_supported_version() -> None:
    (required,) = re.findall(r'requires-python = ">=([0-9.]+)"', (CHECKOUT / "pyproject.toml").read_text())
    pythons = [found.text for found in named("FROM", INSTRUCTIONS) if found.text.startswith("python:")]
    assert all(python.startswith(f"python:{required}.") for python in pythons)


@pytest.mark.parametrize("command", ["pip --python", "npm ci"])
def test_packages_are_locked_cached_and_installed_before_sources_are_copied(command: str) -> None:
    (number,) = [number for number, found in enumerate(INSTRUCTIONS) if found.name == "RUN" and command in found.text]
    install = INSTRUCTIONS[number]
    assert install.flags["mount"].startswith("type=cache,")
    assert command == "npm ci" or "--require-hashes" in install.words
    stage = takewhile(lambda found: found.name != "FROM", reversed(INSTRUCTIONS[:number]))
    copied = {source for found in stage if found.name == "COPY" for source in found.words[:-1]}
    assert copied in ({"requirements/extras.lock"}, {"web/package.json", "web/package-lock.json", "web/.npmrc"})


def test_node_and_the_browser_are_only_in_the_variant_for_remotion_projects() -> None:
    default, variant = (read_stages(dockerfile_text(), **values) for values in ({}, {"VARIANT": "node"}))
    assert [stage.base for stage in (default[-1], variant[-1])] == ["plain", "node"]
    [added] = [stage for stage in variant if stage not in default and stage is not variant[-1]]
    assert added.base == "plain"
    assert "chromium-headless-shell" in named("RUN", added.instructions)[0].text
    assert "remotion" not in "".join(found.text for found in named("RUN", added.instructions))


def test_the_image_copies_only_from_other_stages() -> None:
    assert [copy for copy in named("COPY", LAST_STAGE) if "from" not in copy.flags] == []


def test_a_container_is_unprivileged_and_has_a_stop_signal_and_a_health_check() -> None:
    (user,) = named("USER", LAST_STAGE)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.text)
    assert [found.text for found in named("STOPSIGNAL", LAST_STAGE)] == ["SIGTERM"]
    assert [found.words for found in named("ENTRYPOINT", LAST_STAGE)] == [["rendercast"]]
    assert len(named("HEALTHCHECK", LAST_STAGE)) == 1


def test_the_number_of_threads_for_mongodb_does_not_depend_on_the_machine() -> None:
    environment = {name: value for found in named("ENV", LAST_STAGE) for name, value in found.pairs.items()}
    threads = environment["MOTOR_MAX_WORKERS"]
    read_by_motor = subprocess.run(
        [sys.executable, "-c", "from motor.frameworks.asyncio import max_workers; print(max_workers)"],
        capture_output=True,
        text=True,
        check=True,
        env={"MOTOR_MAX_WORKERS": threads},
    )
    assert read_by_motor.stdout == f"{threads}\n"
    assert 8 <= int(threads) <= 64


def test_the_build_context_has_only_the_files_for_the_image(tmp_path: Path) -> None:
    sent = context_of(checkout_in_use(tmp_path))
    assert sent & set(NOT_FOR_THE_IMAGE) == set()
    assert {name.split("/")[0] for name in sent} == {
        *(".dockerignore", "Dockerfile"),  # Docker's own; no step copies them
        "LICENSE",
        *("app.py", "auth", "cli.py", "clients", "commands", "pages", "requirements", "resolvers", "schema"),
        *("services", "transport", "web"),
    }
