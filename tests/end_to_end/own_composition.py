"""The program of docs/compositions.md: its files, and a project like that of its first commands.

`npx create-video` downloads a template from GitHub. The project has the parts of that template which matter here: its
compiler options and packages, the latter linked from tests/remotion_helper/project.
"""

import json
import re
import shutil
from pathlib import Path

from services.settings import CHECKOUT
from tests.end_to_end.documents import Block, blocks
from tests.remotion_helper.projects import PROJECT, SOURCE

NAME = "docs/compositions.md"
PAGE = (CHECKOUT / NAME).read_text(encoding="utf-8")
BLOCKS = [block for block in blocks() if block.page == NAME]
FILES = dict(re.findall(r"^`([\w/]+\.\w+)`.*?^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CLIENT_PACKAGES = CHECKOUT / "tests" / "clients" / "node_modules"
OPTIONS = {
    "compilerOptions": {
        "target": "ES2018",
        "module": "commonjs",
        "lib": ["es2015"],
        "types": ["react"],
        "jsx": "react-jsx",
        "strict": True,
        "noUnusedLocals": True,
        "esModuleInterop": True,
        "forceConsistentCasingInFileNames": True,
        "skipLibCheck": True,
        "noEmit": True,
    },
    "include": ["src"],
}


def block_of(language: str) -> Block:
    """Return the only block of a language."""
    (found,) = (block for block in BLOCKS if block.language == language)
    return found


def commands_of(program: str) -> list[str]:
    """Return the commands in blocks that run a program."""
    commands = [command for block in BLOCKS for command in block.commands()]
    return [command for command in commands if command.split()[0] == program]


def create_project(folder: Path) -> Path:
    """Return a project with the documented sources and the helper's file."""
    project = folder / "my-video"
    packages = project / "node_modules"
    packages.mkdir(parents=True)
    for package in (PROJECT / "node_modules").iterdir():
        (packages / package.name).symlink_to(package)
    shutil.copy(PROJECT / "package.json", project)
    (project / "tsconfig.json").write_text(json.dumps(OPTIONS), encoding="utf-8")
    (project / "src").mkdir()
    shutil.copy(SOURCE, project / "src")
    for name, text in FILES.items():
        if name.startswith("src/"):
            (project / name).write_text(text, encoding="utf-8")
    return project


def create_page_script(folder: Path, script: str) -> Path:
    """Write the documented module for browsers, and a script that uses it under Node; return the script."""
    (folder / "node_modules").symlink_to(CLIENT_PACKAGES)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "progress.js").write_text(FILES["progress.js"], encoding="utf-8")
    (folder / "page.js").write_text(script, encoding="utf-8")
    return folder / "page.js"
