"""The options of `rendercast render`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.client.completion import complete_composition, complete_format
from commands.client.options import finite
from services.media import ProResProfile
from services.models import AnimationStyle

TEXT_PANEL = "Text (without an option, the default of the server applies)"
COMPOSITION_PANEL = "Composition"
OUTPUT_PANEL = "Output"

Text = Annotated[str | None, typer.Argument(help="Text to render; `-` reads standard input.", metavar="TEXT")]
Style = Annotated[
    AnimationStyle | None,
    typer.Option(help="Animation of the text.", rich_help_panel=TEXT_PANEL),
]
Font = Annotated[
    str | None,
    typer.Option(help="Font family, such as Inter.", rich_help_panel=TEXT_PANEL),
]
Weight = Annotated[
    int | None,
    typer.Option(help="Font weight: 400 is regular, 700 is bold.", rich_help_panel=TEXT_PANEL, metavar="100-900"),
]
Italic = Annotated[
    bool,
    typer.Option("--italic", help="Use the italic font of the family.", rich_help_panel=TEXT_PANEL),
]
Size = Annotated[
    float | None,
    typer.Option(
        help="Font size in pixels.",
        rich_help_panel=TEXT_PANEL,
        callback=finite,
        metavar="PIXELS",
    ),
]
Color = Annotated[
    str | None,
    typer.Option(help="CSS colour of the text.", rich_help_panel=TEXT_PANEL),
]
Background = Annotated[
    str | None,
    typer.Option(help="CSS colour of the background.", rich_help_panel=TEXT_PANEL),
]
Seconds = Annotated[
    float | None,
    typer.Option(help="Duration.", rich_help_panel=TEXT_PANEL, callback=finite),
]
Frames = Annotated[
    int | None, typer.Option(help="Duration in frames, instead of --seconds.", rich_help_panel=TEXT_PANEL)
]

CompositionOption = Annotated[
    str | None,
    typer.Option(
        "--composition",
        "-c",
        metavar="ID",
        autocompletion=complete_composition,
        rich_help_panel=COMPOSITION_PANEL,
        help="Composition to render instead of a text, from `rendercast compositions`.",
    ),
]
PropsFile = Annotated[
    Path | None,
    typer.Option(
        "--props",
        metavar="FILE",
        rich_help_panel=COMPOSITION_PANEL,
        help="File with the props, a JSON object; `-` reads standard input. Props that it lacks have their defaults.",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        rich_help_panel=COMPOSITION_PANEL,
        help="Set a prop, or a part of one: title=Hi, 'scenes[0].seconds=3'. The value is JSON if it is valid JSON, "
        "else a string. May be repeated.",
    ),
]

OutputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        metavar="FORMAT",
        autocompletion=complete_format,
        rich_help_panel=OUTPUT_PANEL,
        help="mp4 (h264), h265, webm (vp9), vp8, mov (prores), gif, mp3, aac, wav, png, jpeg, webp or pdf. Default: by "
        "the extension of the file, else mp4, or png of a still.",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "-o",
        metavar="FILE",
        rich_help_panel=OUTPUT_PANEL,
        help="Save the output here: a file, a folder, or `-` for standard output.",
    ),
]
Width = Annotated[
    int | None, typer.Option(metavar="PIXELS", rich_help_panel=OUTPUT_PANEL, help="Width before --scale.")
]
Height = Annotated[
    int | None, typer.Option(metavar="PIXELS", rich_help_panel=OUTPUT_PANEL, help="Height before --scale.")
]
Fps = Annotated[
    float | None,
    typer.Option(rich_help_panel=OUTPUT_PANEL, callback=finite, help="Frames per second; the duration stays."),
]
Scale = Annotated[
    float | None, typer.Option(rich_help_panel=OUTPUT_PANEL, callback=finite, help="Factor of width and height.")
]
Crf = Annotated[
    int | None, typer.Option(rich_help_panel=OUTPUT_PANEL, help="Quality of a video: lower is better. Or --bitrate.")
]
Bitrate = Annotated[int | None, typer.Option(metavar="KBPS", rich_help_panel=OUTPUT_PANEL, help="Bit rate in kbit/s.")]
Transparent = Annotated[
    bool,
    typer.Option("--transparent", rich_help_panel=OUTPUT_PANEL, help="Keep the background transparent: webm and mov."),
]
Muted = Annotated[bool, typer.Option("--muted", rich_help_panel=OUTPUT_PANEL, help="Leave the sound out.")]
Profile = Annotated[
    ProResProfile | None,
    typer.Option("--prores-profile", rich_help_panel=OUTPUT_PANEL, help="Profile of ProRes."),
]
EveryNthFrame = Annotated[
    int | None, typer.Option(metavar="N", rich_help_panel=OUTPUT_PANEL, help="Keep every Nth frame of a GIF.")
]
Loops = Annotated[
    int | None,
    typer.Option(rich_help_panel=OUTPUT_PANEL, help="How often a GIF is repeated; default: without end."),
]
Frame = Annotated[
    int | None,
    typer.Option(rich_help_panel=OUTPUT_PANEL, help="Frame of a still, from 0, which is the default; -1 is the last."),
]
Quality = Annotated[
    int | None, typer.Option(rich_help_panel=OUTPUT_PANEL, help="Quality of a JPEG, 1 to 100; default: 80.")
]

NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the render, print its ID and exit.")]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(help="Starts with the same key return the same render; default: a new key.", metavar="KEY"),
]
