"""The output that the options choose."""

from itertools import product
from pathlib import Path

import pytest
import typer
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNonNull

from commands.client.output_options import FLAGS, NAMES, output_input, read_format
from resolvers.schema import build_schema
from services.media import CLIENT_NAMES, FORMATS, OutputFormat, OutputKind

SCHEMA = build_schema().core_schema
VALUES: dict[str, object] = {"transparent": True, "muted": True, "prores_profile": "HQ"}


def input_of(kind: OutputKind) -> GraphQLInputObjectType:
    one_of = SCHEMA.get_type("OutputInput")
    assert isinstance(one_of, GraphQLInputObjectType)
    found = one_of.fields[kind.value].type
    assert isinstance(found, GraphQLInputObjectType)
    return found


@pytest.mark.parametrize(
    ("output", "file", "chosen"),
    [
        ("mp4", None, OutputFormat.H264),
        ("MP4", None, OutputFormat.H264),
        ("h265", "a.mp4", OutputFormat.H265),
        ("webm", "a.mp4", OutputFormat.VP9),
        ("jpg", None, OutputFormat.JPEG),
        (None, "a.webm", OutputFormat.VP9),
        (None, "a.b/c.MOV", OutputFormat.PRORES),
        (None, "a.jpeg", OutputFormat.JPEG),
        (None, "a.pdf", OutputFormat.PDF),
        (None, "a.mkv", None),
        (None, "png", None),
        (None, "-", None),
        (None, None, None),
    ],
)
def test_the_format_is_chosen_by_name_or_by_the_extension(
    output: str | None, file: str | None, chosen: OutputFormat | None
) -> None:
    path = None if file is None else Path(file)
    assert read_format(output, path) == (chosen, path)


def test_a_folder_chooses_no_format(tmp_path: Path) -> None:
    (tmp_path / "stills.png").mkdir()
    assert read_format(None, tmp_path / "stills.png")[0] is None


def test_a_file_can_still_be_given_as_output(tmp_path: Path) -> None:
    for value, chosen in (("hello.mp4", OutputFormat.H264), ("-", None), (str(tmp_path), None)):
        assert read_format(value, None) == (chosen, Path(value))


@pytest.mark.parametrize(("output", "file"), [("wemb", None), ("", None), ("hello.mp4", "other.mp4")])
def test_an_unknown_format_is_rejected_with_those_that_exist(output: str, file: str | None) -> None:
    with pytest.raises(typer.BadParameter, match=r"h264, h265, .*webm"):
        read_format(output, None if file is None else Path(file))


def test_every_format_has_a_name() -> None:
    assert set(NAMES.values()) == set(OutputFormat)


@pytest.mark.parametrize(("name", "option"), [*product(OutputFormat, FLAGS)])
def test_every_option_has_its_place_in_the_schema(name: OutputFormat, option: str) -> None:
    """An option of the input is sent, whether the format has it or not; another one is rejected with its name."""
    fields = input_of(FORMATS[name].kind).fields
    field = CLIENT_NAMES.get(option, option)
    given = {option: VALUES.get(option, 7)}
    if field in fields:
        made = output_input(name, given)
        assert made is not None
        ((kind, values),) = made.items()
        assert (kind, values[field]) == (FORMATS[name].kind.value, given[option])
    else:
        with pytest.raises(typer.BadParameter, match=f"{name.value} has no such option") as rejected:
            output_input(name, given)
        assert rejected.value.param_hint == FLAGS[option]


@pytest.mark.parametrize("kind", OutputKind)
def test_every_field_of_the_schema_has_an_option(kind: OutputKind) -> None:
    fields = {CLIENT_NAMES.get(option, option) for option in FLAGS} | {"format"}
    assert set(input_of(kind).fields) <= fields


@pytest.mark.parametrize("name", [name for name in OutputFormat if name is not OutputFormat.GIF])
def test_formats_have_their_names_in_the_schema(name: OutputFormat) -> None:
    type_ = input_of(FORMATS[name].kind).fields["format"].type
    enum = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    assert isinstance(enum, GraphQLEnumType)
    assert name.name in enum.values


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"scale": 0.5}, {"video": {"format": "H264", "scale": 0.5}}),
        ({"frame": 0}, {"still": {"format": "PNG", "frame": 0}}),
        ({"quality": 90, "width": 640}, {"still": {"format": "JPEG", "quality": 90, "width": 640}}),
        ({"loops": 0}, {"gif": {"loops": 0}}),
        ({"transparent": True, "crf": 20}, {"video": {"format": "VP9", "transparent": True, "crf": 20}}),
        ({"prores_profile": "P4444"}, {"video": {"format": "PRORES", "proResProfile": "P4444"}}),
        ({"transparent": False, "crf": None}, None),
    ],
)
def test_options_without_a_format_choose_the_first_that_has_them(
    options: dict[str, object], chosen: dict[str, object] | None
) -> None:
    assert output_input(None, options) == chosen


def test_options_that_no_format_has_together_are_rejected() -> None:
    with pytest.raises(typer.BadParameter, match="--loops, --quality"):
        output_input(None, {"loops": 1, "quality": 80})
