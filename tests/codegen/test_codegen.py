"""`rendercast codegen` on a server with compositions of a zod project, and compilers on what it writes.

The helper in clients/remotion makes the schemas, as in a Remotion project.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from commands.codegen.names import constant_name
from commands.codegen.python import generate_python
from commands.codegen.schemas import combine
from commands.codegen.typescript import generate_typescript
from services.models import Composition
from services.settings import CHECKOUT
from tests.codegen.cases import CHANGES, EVERYTHING, PROMO, WRONG, python, typescript
from tests.codegen.hostile import KEYS, hostile
from tests.commands.conftest import environment
from tests.remotion_helper.projects import HELPER, NODE, PROJECT
from tests.support.api_compositions import composition
from tests.support.forked import run_forked_text
from tests.support.idle_site import open_idle_site

PACKAGES = (HELPER / "node_modules", PROJECT / "node_modules")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        "NODE" not in os.environ and not (NODE and all(each.exists() for each in PACKAGES)),
        reason="needs Node (NODE= or `node` on the path), and node_modules in clients/remotion and "
        "tests/remotion_helper/project (`npm ci --prefix` each folder)",
    ),
]

TYPESCRIPT, PYTHON = "rendercast.d.ts", "rendercast_types.py"
HOSTILE_TYPESCRIPT, HOSTILE_PYTHON = "hostile.d.ts", "hostile_types.py"
TSC_ERROR = re.compile(r"^(?P<file>\S+)\(\d+,\d+\): error TS\d+: (?P<message>(?:.*(?:\n  .*)*))", re.MULTILINE)
MYPY_ERROR = re.compile(r"^(?P<file>\S+):\d+: error: (?P<message>.*)$", re.MULTILINE)
TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "exactOptionalPropertyTypes": True,
        "target": "ES2022",
        "module": "ESNext",
        "moduleResolution": "bundler",
        "lib": ["ES2022", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        "types": [],
        "paths": {"@rendercast/client": [str(CHECKOUT / "clients" / "typescript" / "src" / "index.ts")]},
    },
    "files": [],
}

Errors = Mapping[str, list[str]]


class Project:
    """A folder with the project's packages, in which the command runs."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._url = url

    async def codegen(self, *options: str, code: int = 0, **variables: str) -> str:
        """Run the command and return what it writes to standard error."""
        variables = {"PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}", **variables}
        command = ["codegen", *options]
        ended = await asyncio.to_thread(
            run_forked_text, command, cwd=self.folder, env=environment(self._url, **variables)
        )
        assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
        return ended.stderr

    @property
    def files(self) -> list[str]:
        return sorted(each.name for each in self.folder.iterdir())

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, programs: Mapping[str, str]) -> None:
        for name, text in programs.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def compile_typescript(self, programs: Mapping[str, str]) -> Errors:
        """Return the messages of the compiler by file."""
        config = {**TSCONFIG, "files": [*programs, TYPESCRIPT, HOSTILE_TYPESCRIPT]}
        self.write({**programs, "tsconfig.json": json.dumps(config)})
        compiler = HELPER / "node_modules" / "typescript" / "bin" / "tsc"
        return self._errors([NODE, str(compiler), "--pretty", "false"], TSC_ERROR)

    def check_python(self, programs: Mapping[str, str]) -> Errors:
        """Return mypy's messages by file."""
        self.write(programs)
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", PYTHON, HOSTILE_PYTHON, *programs]
        return self._errors(command, MYPY_ERROR)

    def _errors(self, command: list[str], pattern: re.Pattern[str]) -> Errors:
        variables = {**os.environ, "MYPYPATH": str(CHECKOUT / "clients" / "python")}
        ended = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)
        found = defaultdict(list)
        for match in pattern.finditer(ended.stdout):
            found[match["file"]].append(match["message"])
        assert (ended.returncode == 0) == (not found), ended.stdout + ended.stderr
        return found


@pytest.fixture(scope="module")
def compositions() -> list[Composition]:
    """The compositions of the zod project."""
    command = [NODE, str(Path(__file__).with_name("catalog.mjs")), str(PROJECT)]
    schemas = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    defaults = json.dumps(PROMO)
    return [
        composition(each, default_props=defaults, props_schema=schema and json.dumps(schema))
        for each, schema in schemas.items()
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory, compositions: list[Composition]) -> AsyncIterator[str]:
    async with open_idle_site(tmp_path_factory.mktemp("data"), *compositions) as site:
        yield site.url


@pytest.fixture
def project(tmp_path: Path, url: str) -> Project:
    (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
    return Project(tmp_path, url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def generated(tmp_path_factory: pytest.TempPathFactory, url: str) -> Project:
    """A project with both files, and with those of hostile compositions."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    project = Project(folder, url)
    assert await project.codegen() == f"Wrote {TYPESCRIPT}: the types of 10 compositions.\n"
    assert await project.codegen("--python") == f"Wrote {PYTHON}: the types of 10 compositions.\n"
    document = combine(hostile())
    project.write(
        {
            HOSTILE_TYPESCRIPT: await generate_typescript(document, folders=[folder]),
            HOSTILE_PYTHON: generate_python(document),
        }
    )
    return project


def wrong(name: str, value: object) -> dict[str, Any]:
    """Return props of the composition `everything` of which one is wrong."""
    return {**EVERYTHING, name: value}


async def test_a_change_of_a_zod_property_is_an_error_of_typescript(generated: Project) -> None:
    wrongs = {name: typescript("everything", wrong(name, value)) for name, value in WRONG.items()}
    programs = {
        "Promo": typescript("Promo", PROMO),
        **{name: typescript(name, PROMO) for name in CHANGES},
        "everything": typescript("everything", EVERYTHING),
        **{f"wrong-{name}": program for name, program in wrongs.items()},
        "id": 'import type { WithIdProps } from "./rendercast";\nexport const { brand }: Partial<WithIdProps> = {};\n',
        "dated": typescript("Dated", {"at": "anything"}),
        "nope": typescript("Nope", {}),
        "hostile": "// @ts-expect-error\nexport type A = Hacked;\n// @ts-expect-error\nhacked;\n",
        "key": typescript("keys", dict.fromkeys(KEYS, "a")).replace('"__proto__"', '["__proto__"]'),
    }
    errors = generated.compile_typescript({f"{name}.ts": program for name, program in programs.items()})
    assert {name.removesuffix(".ts") for name in errors} == {*CHANGES, *(f"wrong-{name}" for name in WRONG), "nope"}
    for name, mentioned in CHANGES.items():
        assert mentioned in "".join(errors[f"{name}.ts"])


async def test_a_change_of_a_zod_property_is_an_error_of_mypy(generated: Project) -> None:
    wrongs = {name: python("EVERYTHING", wrong(name, value)) for name, value in WRONG.items()}
    everything = {**EVERYTHING, "brand": {**EVERYTHING["brand"], "colors": ("red", "blue")}}
    programs = {
        "Promo": python("PROMO", PROMO),
        **{name: python(constant_name(name), PROMO) for name in CHANGES},
        "everything": python("EVERYTHING", everything),
        **{f"wrong_{name}": program for name, program in wrongs.items()},
        "dated": python("DATED", {"at": "anything"}),
        "nope": python("NOPE", {}),
    }
    errors = generated.check_python({f"{name}.py": program for name, program in programs.items()})
    assert {name.removesuffix(".py") for name in errors} == {*CHANGES, *(f"wrong_{name}" for name in WRONG), "nope"}
    for name, mentioned in CHANGES.items():
        assert mentioned in "".join(errors[f"{name}.py"])


async def test_a_folder_has_the_written_file_only(project: Project) -> None:
    (project.folder / "src").mkdir()
    assert await project.codegen("-o", "src/types.d.ts") == "Wrote src/types.d.ts: the types of 10 compositions.\n"
    assert Project(project.folder / "src", "").files == ["types.d.ts"]


async def test_the_check_compares_and_writes_nothing(generated: Project) -> None:
    assert await generated.codegen("--check") == ""
    message = "rendercast: other.d.ts is not up to date. Run the command without --check.\n"
    assert await generated.codegen("--check", "-o", "other.d.ts", code=1) == message
    assert not (generated.folder / "other.d.ts").exists()
    generated.write({"other.d.ts": generated.read(TYPESCRIPT) + " "})
    assert await generated.codegen("--check", "-o", "other.d.ts", code=1) == message
    assert generated.read("other.d.ts").endswith(" ")


async def test_props_with_a_default_are_optional_if_wanted(generated: Project) -> None:
    await generated.codegen("--partial", "-o", "partial.py")
    added = generated.read("partial.py").partition("class AddedProps(TypedDict):\n")[2].partition("\n\n")[0]
    required = [line.split(":")[0].strip() for line in added.splitlines() if ": " in line and "NotRequired" not in line]
    assert required == ["subtitle"]


async def test_the_package_is_looked_for_in_the_folder_of_the_file_first(project: Project) -> None:
    package = project.folder / "web" / "node_modules" / "json-schema-to-typescript"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.compile = () => '// mine';", encoding="utf-8")
    await project.codegen("-o", "web/a.d.ts")
    assert project.read("web/a.d.ts").startswith("// mine\ndeclare module")


async def test_a_failure_of_the_package_is_reported_and_changes_nothing(project: Project) -> None:
    package = project.folder / "web" / "node_modules" / "json-schema-to-typescript"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.compile = () => { throw new Error('Broken.') };", encoding="utf-8")
    project.write({"web/a.d.ts": "before"})
    assert (await project.codegen("-o", "web/a.d.ts", code=1)).startswith(
        "rendercast: json-schema-to-typescript failed: "
    )
    assert project.read("web/a.d.ts") == "before"


async def test_what_is_missing_is_named(tmp_path: Path, url: str) -> None:
    project = Project(tmp_path, url)
    assert (await project.codegen(code=1)).endswith(" npm install --save-dev json-schema-to-typescript\n")
    assert (await project.codegen(code=1, PATH=str(tmp_path))).endswith(" Install Node.js 20 or newer.\n")
    assert project.files == []


@pytest.mark.parametrize("options", [["-o", "types.txt"], ["--python", "-o", "a.d.ts"], ["-o", "nowhere/a.d.ts"]])
async def test_a_file_that_can_not_be_written_is_wrong_usage(project: Project, options: list[str]) -> None:
    assert "-o" in await project.codegen(*options, code=2)


async def test_an_unwritable_file_is_reported(project: Project) -> None:
    (project.folder / "a.d.ts").mkdir()
    assert (await project.codegen("-o", "a.d.ts", code=1)).startswith("rendercast: a.d.ts can't be written: ")
    assert project.files == ["a.d.ts", "node_modules"]
