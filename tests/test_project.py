"""Facts about the checkout itself."""

import ast
import importlib
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, distributions, packages_distributions
from pathlib import Path

import pytest

from tests.support import checkout

CHECKOUT = Path(__file__).parents[1]
LOCKS = sorted((CHECKOUT / "requirements").glob("*.lock"))
PACKAGE_LINE = re.compile(r"([a-z0-9][a-z0-9._-]*)(\[[a-z,]+\])?==[^\s;\\]+( ; [^\\]+)? \\")
HASH_LINE = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
SOURCES = (".css", ".js", ".mjs", ".py", ".ts", ".tsx")
MAX_LINES = 300
# Assembled, so that this file doesn't hold them itself.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
]
PACKAGES = {"auth", "commands", "pages", "rendercast", "resolvers", "schema", "services", "transport"}
FOLDERS = {name: CHECKOUT / name for name in PACKAGES} | {"rendercast": CHECKOUT / "clients" / "python" / "rendercast"}
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
# Namespace packages: several distributions provide parts of them.
NAMESPACES = {
    "opentelemetry.context": "opentelemetry-api",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.trace": "opentelemetry-api",
}
TYPES_ONLY = {"mypy-boto3-lambda", "mypy-boto3-s3"}  # of boto3-stubs; imported for type checking only
# uvicorn loads httptools; services/backends/text/fonts.py finds the fonts by the names of their packages.
NOT_IMPORTED = {
    *("fontpkg-inter", "fontpkg-noto-serif", "fontpkg-roboto", "fontpkg-roboto-mono"),
    *("manimgx-fonts", "manimgx-fonts-cjk"),
}
# Their private names are used.
BOUNDED = {
    "aiohttp",
    "botocore",
    "broadcaster",
    "graphql-core",
    "jsonschema-rs",
    "motor",
    "pymongo",
    "redis",
    "starlette",
    "strawberry-graphql",
    "uvicorn",
    "websockets",
}
HOMES = ["/" + name + "/" for name in ("root", "work")]


def tracked_texts() -> list[Path]:
    """Return the text files that git has, or would have after `git add`."""
    paths = [CHECKOUT / name for name in checkout.files()]
    return [path for path in paths if b"\0" not in path.read_bytes()]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_our_packages_come_from_the_checkout(package: str) -> None:
    assert importlib.import_module(package).__file__ == str(FOLDERS[package] / "__init__.py")


def test_our_packages_are_not_installed() -> None:
    files = [str(path) for path in distribution("rendercast").files or ()]
    assert [path for path in files if path.partition("/")[0] in PACKAGES] == []


def test_nothing_installed_brings_or_needs_a_package_of_one_of_our_names() -> None:
    names = {*PACKAGES, "app", "cli"} - {"rendercast"}  # the name of our own distribution
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
    run, extras, dev = (
        {line for line in (CHECKOUT / "requirements" / f"{name}.lock").read_text().splitlines() if "==" in line}
        for name in ("run", "extras", "dev")
    )
    assert run <= dev & extras
    assert {line for line in extras - dev if not line.startswith("fontpkg-")} == set()


def test_no_module_is_long() -> None:
    sources = [name for name in checkout.files() if name.endswith(SOURCES)]
    lengths = {name: len((CHECKOUT / name).read_text(encoding="utf-8").splitlines()) for name in sources}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


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


def declared(requirements: list[str]) -> dict[str, str]:
    """Return the version specifier of each requirement by its normalised name."""
    found = (re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?([^;]*).*", text) for text in requirements)
    return {normalised(match[1]): match[2] for match in found if match}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def shipped_nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Yield all nodes of the shipped modules' syntax trees, with the modules' paths."""
    folders = [FOLDERS[name].rglob("*.py") for name in sorted(PACKAGES)]
    for path in (CHECKOUT / "app.py", CHECKOUT / "cli.py", *itertools.chain(*folders)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def imported_modules() -> Iterator[str]:
    """Yield the modules of other projects that the shipped folders import."""
    for _, node in shipped_nodes():
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules = [module]
            case _:
                modules = []
        yield from (name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names)


def imported_distributions() -> set[str]:
    providers = packages_distributions()
    found = set()
    for module in imported_modules():
        top = module.partition(".")[0]
        if top in {*PACKAGES, "app", "cli"}:
            continue
        names = [NAMESPACES[".".join(module.split(".")[:2])]] if top == "opentelemetry" else providers[top]
        found |= {normalised(name) for name in names}
    return found - TYPES_ONLY


def test_everything_imported_is_declared_and_everything_declared_is_used() -> None:
    run = declared(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    optional = declared([*extras["codegen"], *extras["tracing"]])
    assert imported_distributions() == {*run, *optional} - NOT_IMPORTED
    assert run.keys() >= NOT_IMPORTED


def test_libraries_whose_private_names_are_used_are_bounded() -> None:
    run = declared(PROJECT["project"]["dependencies"])
    assert {name for name, versions in run.items() if "<" in versions} == BOUNDED


def test_no_exception_is_raised_twice() -> None:
    """An exception that is raised again keeps the frames of each time, with all that they refer to."""
    raised = [(path, node) for path, node in shipped_nodes() if isinstance(node, ast.Raise)]
    assert [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path, node in raised
        if isinstance(node.exc, ast.Name) and node.exc.id.isupper()
    ] == []
