"""`rendercast batch`: renders each row of a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.completion import complete_composition
from commands.client.options import DEFAULT_URL, Json, Quiet, Token, Url, read_server
from commands.client.output_options import output_input, read_format
from commands.client.render_options import (
    COMPOSITION_PANEL,
    OUTPUT_PANEL,
    Assignments,
    Bitrate,
    Crf,
    EveryNthFrame,
    Fps,
    Frame,
    Height,
    Loops,
    Muted,
    OutputFormatOption,
    Profile,
    PropsFile,
    Quality,
    Scale,
    Transparent,
    Width,
)
from services.models import TEXT_ANIMATION

if TYPE_CHECKING:
    from rendercast.client import AsyncClient

HELP = """\b
Examples:
  rendercast batch rows.csv --composition Promo --map title=Name -o out/
  rendercast batch rows.csv --map text=Name --output png --frame -1 -o out/ --name "{Name}"
  rendercast batch rows.jsonl -c Promo --set 'theme="dark"' -o out/

Run the same command again after an interruption: no row is started or downloaded twice.

Exit codes: 0 all rows are saved; 1 rows are not valid, or some failed; 2 wrong usage; 3 the server can't be reached;
130 Ctrl-C, and the renders continue."""
ROWS_PANEL = "Rows"
RESTART_TIMEOUT_S = 120.0  # for which a batch waits for a server that is restarted

File = Annotated[
    Path,
    typer.Argument(
        help="CSV with a header, or JSON Lines with an object a line; `-` reads standard input.", metavar="FILE"
    ),
]
CompositionId = Annotated[
    str,
    typer.Option(
        "--composition",
        "-c",
        metavar="ID",
        autocompletion=complete_composition,
        rich_help_panel=COMPOSITION_PANEL,
        help="Composition to render, from `rendercast compositions`.",
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="PROP=COLUMN",
        rich_help_panel=ROWS_PANEL,
        help="Set a prop from a column: title=Name, 'scenes[0].title=Scene 1'. May be repeated. Default: each column "
        "sets the prop with its name.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=ROWS_PANEL,
        help="Encoding of the file, such as cp1252. Default: UTF-8, or UTF-16.",
    ),
]
Folder = Annotated[
    Path, typer.Option("-o", metavar="FOLDER", rich_help_panel=OUTPUT_PANEL, help="Save the outputs in this folder.")
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        rich_help_panel=OUTPUT_PANEL,
        help='Name of the files without extension, such as "{row}-{Name}". Default: row and first mapped column.',
    ),
]
BatchId = Annotated[
    str | None,
    typer.Option(
        "--batch-id",
        metavar="ID",
        rich_help_panel=ROWS_PANEL,
        help="ID of the batch. Another one renders the same rows again. Default: from the file's name and content.",
    ),
]
Retry = Annotated[
    bool, typer.Option("--retry", rich_help_panel=ROWS_PANEL, help="Start rows again whose render failed before.")
]


def batch(
    file: File,
    folder: Folder,
    composition: CompositionId = TEXT_ANIMATION,
    maps: Maps = None,
    props: PropsFile = None,
    assignments: Assignments = None,
    encoding: Encoding = None,
    name: Name = None,
    batch_id: BatchId = None,
    retry: Retry = False,
    output: OutputFormatOption = None,
    width: Width = None,
    height: Height = None,
    fps: Fps = None,
    scale: Scale = None,
    crf: Crf = None,
    bitrate: Bitrate = None,
    transparent: Transparent = False,
    muted: Muted = False,
    prores_profile: Profile = None,
    every_nth_frame: EveryNthFrame = None,
    loops: Loops = None,
    frame: Frame = None,
    quality: Quality = None,
    as_json: Json = False,
    quiet: Quiet = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Render each row of a CSV or JSON Lines file, and save the outputs in a folder.

    All rows are checked before the first is started.
    """
    server = read_server(url, token)
    chosen, _ = read_format(output, None)
    made = output_input(
        chosen,
        {
            "width": width,
            "height": height,
            "fps": fps,
            "scale": scale,
            "crf": crf,
            "bitrate_kbps": bitrate,
            "transparent": transparent,
            "muted": muted,
            "prores_profile": prores_profile and prores_profile.name,
            "every_nth_frame": every_nth_frame,
            "loops": loops,
            "frame": frame,
            "quality": quality,
        },
    )
    import asyncio

    from commands.client.batch_api import BatchApi
    from commands.client.batch_run import BatchPlan, BatchRun
    from commands.client.batch_views import open_batch_view, plural
    from commands.client.download import check_target
    from commands.client.file_names import check_template, default_template, stems_of
    from commands.client.props import read_assignments, read_props
    from commands.client.row_inputs import batch_id_of, keys_of, read_maps, row_inputs
    from commands.client.rows import read_table
    from commands.client.run import run

    table = read_table(file, encoding=encoding)
    columns = read_maps(maps or (), table)
    template = name or default_template(columns)
    check_template(template, table.columns)
    _create(folder)
    check_target(folder)
    common, fixed = read_props(props), read_assignments(assignments or ())

    async def work(api: "AsyncClient") -> None:
        inputs, problems = row_inputs(
            table,
            columns,
            composition_id=composition,
            composition=await api.composition(composition),
            props=common,
            assignments=fixed,
            output=made,
        )
        chosen_id = batch_id or batch_id_of(file.stem if file.name != "-" else "rows", inputs)
        plan = BatchPlan(
            batch_id=chosen_id,
            inputs=inputs,
            keys=keys_of(chosen_id, inputs),
            stems=stems_of(template, inputs),
            folder=folder,
            maps=columns,
            retries=retry,
            problems=problems,
        )
        with open_batch_view(as_json=as_json, quiet=quiet) as view:
            view.write_line(f"Batch {chosen_id}: {plural(len(table.rows), 'row')}.")
            batch_run = BatchRun(BatchApi(api), plan, view)
            try:
                await batch_run.run()
            except asyncio.CancelledError:
                if batch_run.may_have_started:
                    view.write_line(
                        "The renders of the batch continue. Run the same command again to save them, or cancel them: "
                        f"rendercast cancel --batch {chosen_id}"
                    )
                raise

    run(work, server=server, as_json=as_json, retry_timeout_s=RESTART_TIMEOUT_S)


def _create(folder: Path) -> None:
    """Create the folder unless it exists. Raises `typer.BadParameter`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"The folder {folder} can't be created: {error.strerror or error}.", param_hint="-o"
        ) from error
