"""Executes the steps of a Dockerfile without Docker, in a folder that stands for `/`.

Every stage is built in the same folder, because pip writes absolute paths, and moved away when the next one starts.
An image of Python is this interpreter in a virtual environment at `usr/local`; one of Node has links to this machine's.
Debian's packages are not installed: a stand-in for `apt-get` links the browser of this machine.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

from tests.image.dockerfile import Instruction, Stage, read_stages

ABSOLUTE = re.compile(r"(?<![\w./-])/(?=[a-z])")
# Variables with this machine's access to packages. They are not part of an image.
REACHES_PACKAGES = re.compile(r"HOME|PIP_.*|npm_config_.*|SSL_CERT_.*|NODE_EXTRA_CA_CERTS|.*_proxy", re.IGNORECASE)
MAX_STEP_S = 900
CACHES = {"pip": [sys.executable, "-m", "pip", "cache", "dir"], "npm": ["npm", "config", "get", "cache"]}


@dataclass(slots=True, kw_only=True)
class Image:
    """A stage during the build, in the end the image: a folder, and the configuration of its containers."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: Path
    user: str = "0:0"
    volumes: list[Path] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stopsignal: str = "SIGTERM"

    def inside(self, text: str) -> str:
        """Return a text with its absolute paths replaced by those below the folder of the image."""
        return ABSOLUTE.sub(f"{self.root}/", text)

    def path(self, name: str) -> Path:
        """Return the path on this machine for a path of the image, absolute or relative to WORKDIR."""
        return self.root / name[1:] if name.startswith("/") else self.workdir / name

    def configure(self, instruction: Instruction) -> None:
        """Apply an instruction that configures containers."""
        match instruction.name:
            case "WORKDIR":
                self.workdir = self.path(instruction.text)
                self.workdir.mkdir(parents=True, exist_ok=True)
            case "ENV":
                self.environment |= {name: self.inside(value) for name, value in instruction.pairs.items()}
            case "VOLUME":
                self.volumes.append(self.path(instruction.text))
            case "HEALTHCHECK":
                self.health = Instruction(name="CMD", text=instruction.text.removeprefix("CMD ")).words
            case "ENTRYPOINT" | "CMD" | "USER" | "STOPSIGNAL" as name:
                value = instruction.words if name in {"ENTRYPOINT", "CMD"} else instruction.text
                setattr(self, name.lower(), value)
            case "EXPOSE" | "LABEL":
                pass
            case other:
                raise NotImplementedError(other)


class Build:
    """Builds a Dockerfile with a context in an empty folder."""

    def __init__(self, folder: Path, context: Path) -> None:
        self._context = context
        self._root = folder / "root"
        self._stages = folder / "stages"
        self._python = folder / "python"
        self._images: dict[str, Image] = {}
        self._programs = folder / "programs"
        self._programs.mkdir()
        _make_apt(self._programs / "apt-get", self._root)

    def run(self, dockerfile: str, **arguments: str) -> Image:
        """Return the image. Raises `CalledProcessError` if a step fails, `OSError` if a copied path is missing."""
        self._stages.mkdir()
        *earlier, last = read_stages(dockerfile, **arguments)
        for stage in earlier:
            self._images[stage.name] = self._build(stage)
            self._root.rename(self._stages / stage.name)
        return self._build(last)

    def _build(self, stage: Stage) -> Image:
        image = self._start(stage.base)
        for instruction in stage.instructions:
            self._step(image, instruction)
        return image

    def _start(self, base: str) -> Image:
        if base in self._images:
            shutil.copytree(self._stages / base, self._root, symlinks=True)
            return deepcopy(self._images[base])
        self._root.mkdir()
        (self._root / "tmp").mkdir(mode=0o777)
        (self._root / "tmp").chmod(0o777)
        if base.startswith("python:"):
            self._install_python()
        elif base.startswith("node:"):
            _link_node(self._root / "usr" / "local")
        return Image(root=self._root, workdir=self._root)

    def _install_python(self) -> None:
        place = self._root / "usr" / "local"
        if self._python.exists():
            shutil.copytree(self._python, place, symlinks=True)
            return
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=MAX_STEP_S)
        _copy_pip(place)
        (place / "lib" / "uncompiled.py").touch()  # the base image has its library uncompiled
        shutil.copytree(place, self._python, symlinks=True)

    def _step(self, image: Image, instruction: Instruction) -> None:
        match instruction.name:
            case "COPY":
                self._copy(image, instruction)
            case "RUN":
                with _caches(image, instruction.flags.get("mount", "")):
                    self._execute(image, instruction.text)
            case _:
                image.configure(instruction)

    def _copy(self, image: Image, instruction: Instruction) -> None:
        *sources, target = instruction.words
        to = image.path(target)
        for source in sources:
            if "from" in instruction.flags:
                self._move(self._stages / instruction.flags["from"] / source.removeprefix("/"), to)
            elif (found := self._context / source).is_dir():
                shutil.copytree(found, to, dirs_exist_ok=True)
            else:
                shutil.copy2(found, to)
        if os.geteuid() == 0 and "chown" in instruction.flags:
            os.chown(to, *map(int, instruction.flags["chown"].split(":")))

    def _move(self, found: Path, to: Path) -> None:
        """Move the output of a stage. This is faster than a copy; nothing can be copied from a stage twice."""
        if not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            found.rename(to)
            return
        for path in found.iterdir():
            self._move(path, to / path.name)

    def _execute(self, image: Image, text: str) -> None:
        tools = {str(Path(found).parent) for name in ("node", "npm") if (found := shutil.which(name))}
        path = [f"{self._root}/usr/local/bin", str(self._programs), *sorted(tools), "/usr/bin", "/bin"]
        environment = {name: value for name, value in os.environ.items() if REACHES_PACKAGES.fullmatch(name)}
        subprocess.run(
            ["/bin/sh", "-ec", image.inside(text)],
            cwd=image.workdir,
            env=environment | {"PATH": ":".join(path)} | image.environment,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=MAX_STEP_S,
        )


def _link_node(place: Path) -> None:
    """Link this machine's Node and npm to their paths in the official image."""
    node, npm = shutil.which("node"), shutil.which("npm")
    assert node
    assert npm
    for path, target in (("bin/node", Path(node)), ("lib/node_modules/npm", Path(npm).resolve().parents[1])):
        (place / path).parent.mkdir(parents=True)
        (place / path).symlink_to(target)


def _make_apt(path: Path, root: Path) -> None:
    """Write a program in place of `apt-get`. It links the browser, if this machine has it, and installs nothing."""
    browser = shutil.which("chromium-headless-shell") or "/nowhere"
    path.write_text(f"""#!/bin/sh
case "$*" in *" chromium-headless-shell "*) mkdir -p {root}/usr/bin && ln -s {browser} {root}/usr/bin/ ;; esac
""")
    path.chmod(0o755)


def _copy_pip(place: Path) -> None:
    """Copy this interpreter's pip, which is newer than the one that comes with Python and takes half of its time."""
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    for file in distribution("pip").files or []:
        if file.suffix == ".pyc":
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), target)
        if target.parent.name == "bin":
            target.write_text(target.read_text().replace(sys.prefix, str(place)))


@contextmanager
def _caches(image: Image, mount: str) -> Iterator[None]:
    """Link the cache of this machine's pip or npm to the path that a step mounts."""
    if not mount:
        yield
        return
    place = image.path(mount.removeprefix("type=cache,target="))
    result = subprocess.run(CACHES[place.name], capture_output=True, text=True, check=True)
    place.parent.mkdir(parents=True)
    place.symlink_to(result.stdout.strip(), target_is_directory=True)
    yield
    shutil.rmtree(place.parent)
