"""`rendercast codegen`: writes the types of the props of the server's compositions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import DEFAULT_URL, Token, Url, read_server

if TYPE_CHECKING:
    from rendercast.client import AsyncClient, CompositionInfo

    from commands.codegen.schemas import Document, Source

HELP = """\b
Examples:
  rendercast codegen                        # rendercast.d.ts, for @rendercast/client
  rendercast codegen -o src/rendercast.d.ts
  rendercast codegen --python               # rendercast_types.py, for rendercast.client
  rendercast codegen --check                # in CI

Exit codes: 0 written or up to date; 1 not written, or not up to date; 3 the server can't be reached."""
TYPESCRIPT_FILE = Path("rendercast.d.ts")
PYTHON_FILE = Path("rendercast_types.py")
IS_PYTHON = {".ts": False, ".mts": False, ".cts": False, ".py": True, ".pyi": True}

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="The file to write. Its ending chooses the language: .ts or .py. Default: rendercast.d.ts, or "
        "rendercast_types.py with --python.",
    ),
]
Python = Annotated[bool, typer.Option("--python", help="Write types for Python.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if the file is not up to date.")]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial", help="Let props be left out for which the composition has a default, as the server does."
    ),
]


def codegen(
    out: Out = None,
    python: Python = False,
    check: Check = False,
    partial: Partial = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write the types of the props of all compositions, so that wrong props are errors of your compiler.

    For TypeScript, your project needs the package json-schema-to-typescript.
    """
    path = out or (PYTHON_FILE if python else TYPESCRIPT_FILE)
    is_python = IS_PYTHON.get(path.suffix)
    if is_python is None or (python and not is_python):
        raise typer.BadParameter(
            "The file's name must end with .d.ts or .py, and with .py for --python.", param_hint="-o"
        )
    folder = path.resolve().parent
    if not folder.is_dir():
        raise typer.BadParameter(f"The folder {folder} does not exist.", param_hint="-o")
    server = read_server(url, token)
    from commands.client.errors import CommandError
    from commands.client.run import run
    from commands.codegen.schemas import combine

    async def work(api: "AsyncClient") -> None:
        found = await api.compositions()
        if not found:
            message = "The server has not read its compositions yet. Try again in a minute."
            raise CommandError(message, code="NO_COMPOSITIONS")
        document = combine([_source(each, partial=partial) for each in found])
        content = await _generate(document, folder, is_python=is_python)
        if check:
            _compare(path, content)
        else:
            _write(path, content)
            plural = "" if len(found) == 1 else "s"
            typer.echo(f"Wrote {path}: the types of {len(found)} composition{plural}.", err=True)

    run(work, server=server, as_json=False)


def _source(composition: "CompositionInfo", *, partial: bool) -> "Source":
    from commands.codegen.schemas import Source

    optional = frozenset(composition.default_props) if partial else frozenset()
    return Source(id=composition.id, schema=composition.props_schema, optional=optional)


async def _generate(document: "Document", folder: Path, *, is_python: bool) -> str:
    if is_python:
        from commands.codegen.python import generate_python

        return generate_python(document)
    from commands.codegen.typescript import generate_typescript

    return await generate_typescript(document, folders=[folder, Path.cwd()])


def _compare(path: Path, content: str) -> None:
    """Raise `CommandError` if the file has another content."""
    from commands.client.errors import CommandError

    try:
        present = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError):
        present = None
    if present != content:
        message = f"{path} is not up to date. Run the command without --check."
        raise CommandError(message, code="NOT_UP_TO_DATE")


def _write(path: Path, content: str) -> None:
    """Replace the file's content, completely or not at all. Raises `CommandError`."""
    from rendercast.client.files import replacing

    from commands.client.errors import CommandError

    try:
        with replacing(path.resolve()) as file:
            file.write(content.encode())
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror or error}.", code="NOT_WRITTEN") from error
