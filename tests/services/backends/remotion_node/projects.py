"""Remotion projects of empty packages, for tests that don't render."""

import json
import sys
from pathlib import Path

VERSION = "4.0.527"


def add_package(folder: Path, name: str, *, version: str = VERSION) -> Path:
    """Install a package that contains nothing."""
    package = folder / "node_modules" / name
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": name, "version": version}))
    return package


def make_empty_project(folder: Path, *, version: str = VERSION) -> Path:
    """Return a project with all packages that are needed, and an entry point."""
    for name in ("remotion", "@remotion/renderer", "@remotion/bundler"):
        add_package(folder, name, version=version)
    (folder / "package.json").write_text("{}")
    (folder / "src").mkdir()
    (folder / "src" / "index.ts").write_text("registerRoot(Root);")
    return folder


def make_program(path: Path, script: str) -> Path:
    """Return a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def make_bundler(path: Path) -> Path:
    """Return a program in place of Node, which bundles a project by copying its entry point.

    It fails if that contains the word "broken", with the message of esbuild.
    """
    script = f"""#!{sys.executable}
import json, pathlib, sys
if sys.argv[1] == "--version":
    sys.exit(print("v20.1.0"))
job = json.loads(sys.argv[2])
source = pathlib.Path(job["entry"]).read_text()
if "broken" in source:
    sys.exit("Error: Transform failed with 1 error:\\n" + job["entry"] + ":1:0: ERROR: broken\\n    at x.js")
output = pathlib.Path(job["output"])
output.mkdir()
(output / "index.html").write_text(job["output"])
(output / "bundle.js").write_text(source)
"""
    path.write_text(script)
    path.chmod(0o755)
    return path
