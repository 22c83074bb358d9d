"""The package @rendercast/react as it would be published: its files, types, dependencies and size."""

import gzip
import json
from pathlib import Path

import pytest

from tests.react_client.page_user import CLIENTS, NEEDS_NODE, run

pytestmark = [pytest.mark.slow, NEEDS_NODE]

MAX_BYTES = 3_072  # minified and compressed, without React and @rendercast/client
REACT_18 = {
    "react": ["./node_modules/@types/react-18/index.d.ts"],
    "react/jsx-runtime": ["./node_modules/@types/react-18/jsx-runtime.d.ts"],
}


def test_it_has_no_dependencies_and_the_version_of_the_client() -> None:
    client, react = (json.loads((CLIENTS / name / "package.json").read_text()) for name in ("typescript", "react"))
    assert "dependencies" not in react
    assert react["version"] == client["version"]
    assert react["peerDependencies"] == {"@rendercast/client": f"^{client['version']}", "react": ">=18"}


def test_it_is_small(package: Path) -> None:
    externals = [f"--external:{name}" for name in ("react", "react/jsx-runtime", "@rendercast/client")]
    code = run("esbuild", "dist/index.js", "--bundle", "--minify", "--format=esm", *externals, cwd=package)
    assert code.startswith('"use client";')
    assert len(gzip.compress(code.encode())) <= MAX_BYTES


def test_bundlers_and_node_can_load_it(package: Path) -> None:
    for source in package.glob("src/*.tsx"):
        assert (package / "dist" / source.with_suffix(".js").name).read_text().startswith('"use client";')
    run("publint", "--strict", cwd=package)
    run("attw", "--pack", ".", "--profile", "esm-only", cwd=package)


@pytest.mark.parametrize("types", [{}, REACT_18], ids=["19", "18"])
def test_its_types_fit_the_versions_of_react(package: Path, types: dict[str, list[str]]) -> None:
    paths = {
        "@rendercast/react": ["./dist/index.d.ts"],
        "@rendercast/client": ["../typescript/dist/index.d.ts"],
        **types,
    }
    settings = {
        "extends": "./tsconfig.json",
        "compilerOptions": {"paths": paths, "rootDir": "..", "noEmit": True, "skipLibCheck": False},
        "include": ["*.tsx"],
    }
    (package / "tsconfig.test.json").write_text(json.dumps(settings))
    run("tsc", "--project", "tsconfig.test.json", cwd=package)
