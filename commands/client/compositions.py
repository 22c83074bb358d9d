"""`rendercast compositions`: lists and shows what the server can render."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.client.completion import complete_composition
from commands.client.options import DEFAULT_URL, Json, Token, Url, read_server
from commands.help_texts import App, Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rendercast.client import AsyncClient, CompositionInfo

LIST_HELP = """\b
Examples:
  rendercast compositions
  rendercast compositions --json | jq -r .id"""
SHOW_HELP = """\b
Examples:
  rendercast compositions show TextAnimation
  rendercast compositions show TextAnimation | jq .defaultProps > props.json

Exit codes: 0 shown; 1 there is no composition with this id; 3 the server can't be reached."""
HEADER = ("id", "kind", "size", "fps", "duration", "outputs", "schema")

CompositionId = Annotated[
    str, typer.Argument(help="ID of a composition.", metavar="ID", autocompletion=complete_composition)
]


class _ListByDefault(Group):
    """A group whose command `list` runs if no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the command. While a shell completes the arguments, nothing is inserted."""
        starts_with_option = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
        if not ctx.resilient_parsing and (not args or starts_with_option):
            args = ["list", *args]
        return super().parse_args(ctx, args)


compositions = App(cls=_ListByDefault)


@compositions.callback(epilog=LIST_HELP)
def _about() -> None:
    """List what can be rendered, show one composition, or refresh the list from the renderer. Default: list."""


@compositions.command("list", epilog=LIST_HELP)
def list_compositions(as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the compositions that the server can render."""
    server = read_server(url, token)
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "AsyncClient") -> None:
        found = await api.compositions()
        if as_json:
            for each in found:
                write_json(each.raw)
        elif found:
            _write_table([HEADER, *(_cells(each) for each in found)])
        else:
            typer.echo("The server has not read its compositions yet. Try again in a minute.", err=True)

    run(work, server=server, as_json=as_json)


@compositions.command(epilog=SHOW_HELP)
def show(composition_id: CompositionId, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show a composition as JSON, with its default props and the schema of its props."""
    server = read_server(url, token)
    from commands.client.errors import CommandError
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "AsyncClient") -> None:
        found = await api.composition(composition_id)
        if found is None:
            ids = ", ".join(await api.composition_ids())
            message = f"There is no composition {composition_id}. " + (f"Choose {ids}." if ids else "There is none.")
            raise CommandError(message, code="NOT_FOUND", compositionId=composition_id)
        write_json(found.raw) if as_json else typer.echo(_indented(found.raw))

    run(work, server=server, as_json=as_json)


def _cells(composition: "CompositionInfo") -> tuple[str, ...]:
    is_still = composition.kind == "STILL"
    return (
        composition.id,
        composition.kind.lower(),
        f"{composition.width}x{composition.height}",
        "" if is_still else f"{composition.fps:g}",
        "" if is_still else f"{composition.duration_in_frames / composition.fps:.1f} s",
        str(len(composition.outputs)),
        "no" if composition.props_schema is None else "yes",
    )


def _write_table(rows: "Sequence[tuple[str, ...]]") -> None:
    from commands.client.views import printable

    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _indented(value: object) -> str:
    """Return indented JSON in which characters that are not printable are escaped: they could control the terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
