"""Each option with each format of the table, in its range and out of it."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, ProResProfile
from services.renders.media_limits import MediaLimits
from services.renders.output_validation import OutputTarget, label, output_problems

LIMITS = MediaLimits(max_duration_s=20, max_pixels=1_000_000_000)
TARGET = OutputTarget(
    name="Promo",
    formats=tuple(OutputFormat),
    media=Media(frames=90, fps=30, width=1280, height=720),
    is_exact=True,
)
OPTIONS = [name for name in OutputOptions.__struct_fields__ if name != "format"]
# For each option: its name in GraphQL, values that are accepted where the format has it, and values that are not.
VALUES: dict[str, tuple[str, list[Any], list[Any]]] = {
    "width": ("width", [32, 8192], [-1, 0, 8193, 2**31 - 1]),
    "height": ("height", [32, 8192], [-1, 0, 8193, 2**31 - 1]),
    "fps": ("fps", [1.0, 23.976, 120.0], [0.0, -1.0, 0.99, 120.5, float("inf"), float("nan")]),
    "scale": ("scale", [0.5, 1.0, 2.0], [0.0, -1.0, 16.5, float("inf"), float("nan")]),
    "crf": ("crf", [], [-1, 64, 1000]),
    "bitrate_kbps": ("bitrateKbps", [8, 512], [-1, 0, 7, 500_001, 2**31 - 1]),
    "transparent": ("transparent", [True], []),
    "muted": ("muted", [True], []),
    "prores_profile": ("proResProfile", list(ProResProfile), []),
    "every_nth_frame": ("everyNthFrame", [1, 1000], [-1, 0, 1001]),
    "loops": ("loops", [0, 65_535], [-1, 65_536]),
    "frame": ("frame", [-90, 0, 89], [-91, 90, 2**31 - 1, -(2**31)]),
    "quality": ("quality", [1, 100], [-1, 0, 101]),
}
# Which formats have which options: a decision for each format that is added to the table.
ALL: set[str] = set(OutputFormat)
HAVE: dict[str, set[str]] = {
    "width": ALL - {"mp3", "aac", "wav"},
    "height": ALL - {"mp3", "aac", "wav"},
    "scale": ALL - {"mp3", "aac", "wav"},
    "fps": {"h264", "h265", "vp8", "vp9", "prores"},
    "muted": {"h264", "h265", "vp8", "vp9", "prores"},
    "crf": {"h264", "h265", "vp8", "vp9"},
    "bitrate_kbps": {"h264", "h265", "vp8", "vp9", "mp3", "aac"},
    "transparent": {"vp8", "vp9", "prores"},
    "prores_profile": {"prores"},
    "every_nth_frame": {"gif"},
    "loops": {"gif"},
    "frame": {"png", "jpeg", "webp", "pdf"},
    "quality": {"jpeg"},
}
CRF = {"h264": (1, 51), "h265": (0, 51), "vp8": (4, 63), "vp9": (0, 63)}
EVEN = {"h264", "h265"}
MIN_SIDE = {"h265": 32}
EACH = [(name, option) for name in OutputFormat for option in OPTIONS]


def problems(options: OutputOptions, target: OutputTarget = TARGET, limits: MediaLimits = LIMITS) -> dict[str, str]:
    found = list(output_problems(options, target, limits=limits))
    by_path = {problem.path: problem.message for problem in found}
    assert len(by_path) == len(found)  # one problem for each option
    return by_path


def path(name: OutputFormat, option: str) -> str:
    return f"/output/{FORMATS[name].kind}/{VALUES[option][0]}"


def accepted(name: OutputFormat, option: str) -> list[Any]:
    return list(CRF[name]) if option == "crf" else VALUES[option][1]


def rejected(name: OutputFormat, option: str) -> list[Any]:
    low, high = CRF.get(name, (0, 0))
    return [*VALUES[option][2], *([low - 1, high + 1] if option == "crf" else [])]


def test_each_option_has_values_and_a_decision_for_each_format() -> None:
    assert set(VALUES) == set(HAVE) == set(OPTIONS)
    decided = {name: {option for option in OPTIONS if name in HAVE[option]} for name in OutputFormat}
    assert decided == {name: set(row.options) for name, row in FORMATS.items()}
    assert set(FORMATS) == set(OutputFormat)
    assert {name for name, row in FORMATS.items() if row.crf} == set(CRF)
    assert {name for name, row in FORMATS.items() if row.even} == EVEN
    assert {name: row.min_side for name, row in FORMATS.items() if row.min_side > 1} == MIN_SIDE


@pytest.mark.parametrize(("name", "option"), EACH)
def test_an_option_is_accepted_in_its_range_by_the_formats_that_have_it(name: OutputFormat, option: str) -> None:
    for value in accepted(name, option) if name in HAVE[option] else ():
        assert problems(OutputOptions(format=name, **{option: value})) == {}
    for value in rejected(name, option) if name in HAVE[option] else ():
        assert list(problems(OutputOptions(format=name, **{option: value}))) == [path(name, option)], value


@pytest.mark.parametrize(("name", "option"), EACH)
def test_an_option_is_rejected_by_the_formats_that_do_not_have_it(name: OutputFormat, option: str) -> None:
    values = [*VALUES[option][1], *VALUES[option][2], *([1] if option == "crf" else [])]
    for value in values if name not in HAVE[option] else ():
        message = f"{label(name)} has no option `{VALUES[option][0]}`. Remove it."
        assert problems(OutputOptions(format=name, **{option: value})) == {path(name, option): message}


@pytest.mark.parametrize("name", OutputFormat)
def test_options_that_are_not_set_have_no_problems(name: OutputFormat) -> None:
    assert problems(OutputOptions(format=name)) == {}
    assert problems(OutputOptions(format=name, transparent=False, muted=False)) == {}


@pytest.mark.parametrize("name", OutputFormat)
def test_sizes_are_even_where_the_codec_needs_it(name: OutputFormat) -> None:
    if "width" not in FORMATS[name].options:
        return
    size: dict[str, Any] = {"width": 641, "height": 361}
    both = {path(name, "width"), path(name, "height")} if name in EVEN else set()
    assert set(problems(OutputOptions(format=name, **size))) == both
    odd = replace(TARGET, media=Media(frames=90, fps=30, **size))
    assert set(problems(OutputOptions(format=name), odd)) == both
    assert problems(OutputOptions(format=name, scale=2.0), odd) == {}
    assert problems(OutputOptions(format=name), replace(odd, is_exact=False)) == {}  # the props may change it


@pytest.mark.parametrize("name", OutputFormat)
@pytest.mark.parametrize("option", ["width", "height"])
def test_sizes_are_as_large_as_the_codec_needs(name: OutputFormat, option: str) -> None:
    least = MIN_SIDE.get(name, 2 if name in EVEN else 1)
    if option not in FORMATS[name].options:
        return
    at: dict[str, Any] = {option: least}
    below: dict[str, Any] = {option: least - 1}
    assert problems(OutputOptions(format=name, **at)) == {}
    assert set(problems(OutputOptions(format=name, **below))) == {path(name, option)}


def test_a_scale_is_limited_like_a_side_where_the_props_may_change_the_size() -> None:
    dynamic = replace(TARGET, is_exact=False)
    wide = {"/output/video/width": "The width would be 20480 pixels. It must be from 1 to 8192 for H.264."}
    assert wide.items() <= problems(OutputOptions(scale=16.0), dynamic).items()
    assert set(problems(OutputOptions(scale=8.0, height=80), dynamic)) == {"/output/video/width"}
    assert problems(OutputOptions(scale=2.0), dynamic) == {}
    for unknown in (replace(dynamic, media=None), replace(dynamic, media=Media(frames=90, fps=30))):
        assert problems(OutputOptions(scale=16.0), unknown) == {}


@pytest.mark.parametrize("profile", ProResProfile)
def test_only_profiles_with_alpha_can_be_transparent(profile: ProResProfile) -> None:
    options = OutputOptions(format=OutputFormat.PRORES, transparent=True, prores_profile=profile)
    expected = set() if profile in {"4444", "4444-xq"} else {"/output/video/proResProfile"}
    assert set(problems(options)) == expected
    assert problems(OutputOptions(format=OutputFormat.PRORES, prores_profile=profile)) == {}
    assert problems(OutputOptions(format=OutputFormat.PRORES, transparent=True)) == {}


def test_crf_and_bit_rate_exclude_each_other() -> None:
    for name in CRF:
        options = OutputOptions(format=OutputFormat(name), crf=20, bitrate_kbps=900)
        assert problems(options) == {"/output/video/crf": "`crf` and `bitrateKbps` exclude each other. Remove one."}


@pytest.mark.parametrize("name", OutputFormat)
def test_a_format_that_the_composition_does_not_have_is_reported_with_its_own_problems(name: OutputFormat) -> None:
    others = tuple(each for each in OutputFormat if each is not name)
    found = problems(OutputOptions(format=name, width=-1, quality=0), replace(TARGET, formats=others))
    where = f"/output/{FORMATS[name].kind}"
    assert next(iter(found)) == f"{where}/format"
    assert set(found) == {f"{where}/format", f"{where}/width", f"{where}/quality"}
    assert found[f"{where}/format"] == (
        f"Promo can't be rendered as {name.name}. Choose {', '.join(each.name for each in others)}."
    )


def test_a_frame_must_exist_where_the_length_is_known() -> None:
    still = replace(TARGET, media=Media(frames=1, fps=30, width=10, height=10))
    for frame, message in ((1, "Choose 0."), (-2, "Choose 0.")):
        found = problems(OutputOptions(format=OutputFormat.PNG, frame=frame), still)
        assert found == {"/output/still/frame": f"This frame does not exist. {message}"}
    assert problems(OutputOptions(format=OutputFormat.PNG, frame=-1), still) == {}
    far = OutputOptions(format=OutputFormat.PNG, frame=10**6)
    assert problems(far)["/output/still/frame"] == (
        "This frame does not exist. Choose one from 0 to 89, or from -90 to -1, counted from the end."
    )
    for target in (replace(TARGET, is_exact=False), replace(TARGET, media=None)):
        assert problems(far, target) == {}


@pytest.mark.parametrize("name", OutputFormat)
def test_the_number_of_pixels_is_limited_where_it_is_known(name: OutputFormat) -> None:
    row = FORMATS[name]
    frames = {OutputKind.STILL: 1, OutputKind.AUDIO: 0}.get(row.kind, 90)
    pixels = 1280 * 720 * frames
    at, below = (MediaLimits(max_duration_s=20, max_pixels=max(0, pixels - less)) for less in (0, 1))
    assert problems(OutputOptions(format=name), limits=at) == {}
    expected = {f"/output/{row.kind}": below.too_large} if pixels else {}
    assert problems(OutputOptions(format=name), limits=below) == expected
    for target in (replace(TARGET, is_exact=False), replace(TARGET, media=None)):
        assert problems(OutputOptions(format=name), target, below) == {}


def test_a_composition_without_a_size_is_limited_by_the_given_one() -> None:
    unsized = replace(TARGET, media=Media(frames=90, fps=30))
    assert problems(OutputOptions(), unsized) == {}
    assert set(problems(OutputOptions(width=641), unsized)) == {"/output/video/width"}
    assert problems(OutputOptions(width=8000, height=8000), unsized) == {"/output/video": LIMITS.too_large}


NUMBERS = st.none() | st.integers(-(2**31), 2**31 - 1)
FLOATS = st.none() | st.floats()


@given(
    options=st.builds(
        OutputOptions,
        format=st.sampled_from(OutputFormat),
        width=NUMBERS,
        height=NUMBERS,
        fps=FLOATS,
        scale=FLOATS,
        crf=NUMBERS,
        bitrate_kbps=NUMBERS,
        every_nth_frame=NUMBERS,
        loops=NUMBERS,
        frame=NUMBERS,
        quality=NUMBERS,
    ),
    media=st.none()
    | st.builds(
        Media, frames=st.integers(1, 10**6), fps=st.floats(0.1, 1000), width=st.integers(1, 10**5), height=st.none()
    ),
    is_exact=st.booleans(),
)
def test_any_options_are_either_accepted_or_reported_with_paths(
    options: OutputOptions, media: Media | None, *, is_exact: bool
) -> None:
    target = OutputTarget(name="Promo", formats=tuple(OutputFormat), media=media, is_exact=is_exact)
    kind = FORMATS[options.format].kind
    for problem in output_problems(options, target, limits=LIMITS):
        assert problem.path.startswith(f"/output/{kind}")
        assert problem.message.endswith((".", "pixels."))
    msgspec.json.encode(options)
