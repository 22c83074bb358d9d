"""Facts about the checkout itself."""

import importlib
import re
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest

from tests.support import checkout

CHECKOUT = Path(__file__).parents[1]
LOCKS = sorted((CHECKOUT / "requirements").glob("*.lock"))
PACKAGE_LINE = re.compile(r"([a-z0-9][a-z0-9._-]*)(\[[a-z,]+\])?==[^\s;\\]+( ; [^\\]+)? \\")
HASH_LINE = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
# Assembled, so that this file doesn't hold them itself.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
]
PACKAGES = {"auth", "commands", "pages", "resolvers", "schema", "services", "transport"}
HOMES = ["/" + name + "/" for name in ("root", "work")]


def tracked_texts() -> list[Path]:
    """Return the text files that git has, or would have after `git add`."""
    paths = [CHECKOUT / name for name in checkout.files()]
    return [path for path in paths if b"\0" not in path.read_bytes()]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_our_packages_come_from_the_checkout(package: str) -> None:
    assert importlib.import_module(package).__file__ == str(CHECKOUT / package / "__init__.py")


def test_our_packages_are_not_installed() -> None:
    files = [str(path) for path in distribution("rendercast").files or ()]
    assert [path for path in files if path.partition("/")[0] in PACKAGES] == []


def test_nothing_installed_brings_or_needs_a_package_of_one_of_our_names() -> None:
    names = {*PACKAGES, "app", "cli"}
    for installed in distributions():
        assert installed.name not in names
        required = {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower() for text in installed.requires or ()}
        assert not required & names, installed.name
    assert "schema" not in {line.partition("==")[0] for lock in LOCKS for line in lock.read_text().splitlines()}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_holds_names_versions_and_hashes_and_nothing_else(lock: Path) -> None:
    before = ""
    for line in lock.read_text().splitlines():
        assert PACKAGE_LINE.fullmatch(line) or (HASH_LINE.fullmatch(line) and before.endswith("\\")), line
        before = line
    assert HASH_LINE.fullmatch(before)


def test_what_runs_is_locked_alike_for_development() -> None:
    run, tracing, dev = (
        {line for line in (CHECKOUT / "requirements" / f"{name}.lock").read_text().splitlines() if "==" in line}
        for name in ("run", "tracing", "dev")
    )
    assert run <= tracing <= dev


def test_no_file_names_an_address_of_a_registry() -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path in tracked_texts()
        for name in REGISTRIES
        if name in path.read_text(errors="replace")
    ]
    assert found == []


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}: {line.strip()}"
        for path in tracked_texts()
        for line in path.read_text(errors="replace").splitlines()
        if any(re.search(rf"(?<![\w.~-]){re.escape(home)}", line) for home in HOMES)
    ]
    assert found == []
