"""Every row of the table of formats, with each of its options, made and decoded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.backends.text.formats import TEXT_FORMATS
from services.media import FORMATS, TRANSPARENT_PROFILES, OutputFormat, OutputKind, ProResProfile
from services.renders.output_validation import MAX_SIDE_PX
from tests.services.backends.text.outputs import (
    ANIMATED,
    BACKGROUND,
    FPS,
    FRAMES,
    HEIGHT,
    ROWS,
    TEXT,
    VIDEOS,
    WIDTH,
    Options,
    at_rest,
    check_alpha,
    corner,
    make,
    middle,
    near,
    rgba,
)

PAIRS = [(name, option) for name in ROWS for option in sorted(FORMATS[name].options)]

DECODED_AS = {
    OutputFormat.H264: ("h264", "yuv420p"),
    OutputFormat.H265: ("hevc", "yuv420p"),
    OutputFormat.VP8: ("vp8", "yuv420p"),
    OutputFormat.VP9: ("vp9", "yuv420p"),
    OutputFormat.PRORES: ("prores", "yuv422p10le"),
    OutputFormat.GIF: ("gif", "bgra"),
    OutputFormat.PNG: ("png", "rgb24"),
    OutputFormat.JPEG: ("mjpeg", "yuvj444p"),
    OutputFormat.WEBP: ("webp", "argb"),
}
# The tag of each profile in QuickTime files.
PRORES_TAGS = {
    ProResProfile.P4444_XQ: "ap4x",
    ProResProfile.P4444: "ap4h",
    ProResProfile.HQ: "apch",
    ProResProfile.STANDARD: "apcn",
    ProResProfile.LIGHT: "apcs",
    ProResProfile.PROXY: "apco",
}


def test_all_formats_but_audio_and_pdf_can_be_made() -> None:
    assert frozenset(ROWS) == TEXT_FORMATS
    assert set(DECODED_AS) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_format_is_made_with_its_defaults(tmp_path: Path, name: OutputFormat) -> None:
    made = make(tmp_path, at_rest(name))
    is_still = FORMATS[name].kind is OutputKind.STILL
    assert (made.codec, made.frames[0].format.name) == DECODED_AS[name]
    assert made.size == (WIDTH, HEIGHT)
    assert len(made.frames) == (1 if is_still else FRAMES)
    assert near(corner(made.frames[-1]), BACKGROUND, name)
    assert near(middle(made.frames[-1]), TEXT, name)
    assert made.poster.exists() is not is_still
    assert made.warnings == []
    assert made.messages[-1] == {"type": "progress", "frames": len(made.frames)}


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_has_its_rate_duration_and_start(tmp_path: Path, name: OutputFormat) -> None:
    made = make(tmp_path, at_rest(name))
    assert made.duration_s == pytest.approx(FRAMES / FPS, abs=0.005)
    assert made.rate is not None
    assert float(made.rate) == pytest.approx(FPS, abs=3.5 if name is OutputFormat.GIF else 0.01)  # in 1/100 s
    assert near(middle(made.frames[0]), BACKGROUND, name)
    assert near(corner(made.frames[0]), BACKGROUND, name)


@pytest.mark.parametrize("name", VIDEOS)
def test_a_video_is_tagged_with_its_colours(tmp_path: Path, name: OutputFormat) -> None:
    """VP8 can't store another matrix than that of BT.601, see RFC 6386, section 9.2."""
    assert make(tmp_path, at_rest(name)).color_tags == (1, 1, 5 if name is OutputFormat.VP8 else 1, 1)


@pytest.mark.parametrize("name", ["h264", "h265"])
def test_an_mp4_has_the_tag_that_players_expect_and_starts_with_its_index(tmp_path: Path, name: str) -> None:
    made = make(tmp_path, {"format": name})
    assert made.tag == {"h264": "avc1", "h265": "hvc1"}[name]
    assert made.data.index(b"moov") < made.data.index(b"mdat")


@pytest.mark.parametrize("name", ROWS)
def test_the_same_job_gives_the_same_bytes_without_versions_of_libraries(tmp_path: Path, name: OutputFormat) -> None:
    one, two = (make(tmp_path, at_rest(name), style="scale").data for _ in range(2))
    assert one == two
    assert b"Lavc" not in one
    assert b"Lavf6" not in one


# The checks of the options, by name. Each makes what it needs of one format.


def check_width(folder: Path, name: OutputFormat) -> None:
    width = 100 if FORMATS[name].even else 101
    made = make(folder, at_rest(name, width=width))
    assert made.size == (width, HEIGHT)
    assert near(middle(made.frames[-1]), TEXT, name)
    assert near(corner(made.frames[-1]), BACKGROUND, name)


def check_height(folder: Path, name: OutputFormat) -> None:
    height = 50 if FORMATS[name].even else 51
    made = make(folder, at_rest(name, height=height))
    assert made.size == (WIDTH, height)
    assert near(middle(made.frames[-1]), TEXT, name)
    assert near(rgba(made.frames[-1])[-1, -1], BACKGROUND, name)


def check_scale(folder: Path, name: OutputFormat) -> None:
    """The text has the same share of the frame; its font size is in pixels of the unscaled output."""
    size: Options = {"width": 2 * WIDTH, "height": 2 * HEIGHT}
    double, half = (make(folder, at_rest(name, scale=scale, **size), font_size=32.0) for scale in (2, 0.5))
    assert (double.size, half.size) == ((4 * WIDTH, 4 * HEIGHT), (WIDTH, HEIGHT))
    shares = [(np.abs(rgba(made.frames[-1])[..., 0] - BACKGROUND[0]) > 110).mean() for made in (double, half)]
    assert shares[0] == pytest.approx(shares[1], rel=0.15)
    assert shares[0] > 0.02


def check_fps(folder: Path, name: OutputFormat) -> None:
    for fps, frames in ((60, 2 * FRAMES), (15, FRAMES // 2), (29.97, FRAMES)):
        made = make(folder, at_rest(name, fps=fps))
        assert len(made.frames) == frames
        assert made.rate is not None
        assert float(made.rate) == pytest.approx(fps, rel=0.001)
        assert made.duration_s == pytest.approx(FRAMES / FPS, abs=0.005)
        assert near(middle(made.frames[-1]), TEXT, name)


def check_muted(folder: Path, name: OutputFormat) -> None:
    assert make(folder, at_rest(name, muted=True)).data == make(folder, at_rest(name)).data


def check_crf(folder: Path, name: OutputFormat) -> None:
    crf = FORMATS[name].crf
    assert crf is not None
    sizes = [len(make(folder, at_rest(name, crf=value), **MOVING).data) for value in (crf[0], crf[-1] // 2, crf[-1])]
    assert sizes == sorted(set(sizes), reverse=True)


def check_bitrate_kbps(folder: Path, name: OutputFormat) -> None:
    """The second half of a second is at rest, so a bit rate above what the text needs is not reached."""
    rates = [len(make(folder, at_rest(name, bitrate_kbps=rate), **MOVING).data) * 8 / 1000 for rate in (60, 240, 960)]
    assert rates == sorted(set(rates))
    assert rates[0] < 180


def check_transparent(folder: Path, name: OutputFormat) -> None:
    made = make(folder, at_rest(name, transparent=True), background_color=None)
    check_alpha(made, name)
    assert made.warnings == []
    opaque = make(folder, at_rest(name, transparent=True))
    assert near(corner(opaque.frames[-1]), (*BACKGROUND, 255), name)
    assert near(middle(opaque.frames[-1]), (*TEXT, 255), name)
    translucent = make(
        folder,
        at_rest(name, transparent=True),
        background_color="rgb(30 58 138 / 40%)",
        color="rgb(255 204 0 / 50%)",
    )
    assert near(corner(translucent.frames[-1]), (*BACKGROUND, 102), name)
    alpha = 0.5 + 0.4 * 0.5
    mixed = [(0.5 * text + 0.2 * behind) / alpha for text, behind in zip(TEXT, BACKGROUND, strict=True)]
    assert near(middle(translucent.frames[-1]), (*map(round, mixed), round(255 * alpha)), name)


def check_prores_profile(folder: Path, name: OutputFormat) -> None:
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for profile in ProResProfile:
        made = make(folder, at_rest(name, prores_profile=profile))
        full_chroma = profile in TRANSPARENT_PROFILES
        assert made.tag == PRORES_TAGS[profile]
        assert made.frames[0].format.name == ("yuv444p12le" if full_chroma else "yuv422p10le")
        assert near(corner(made.frames[-1]), BACKGROUND, name)
        sizes[full_chroma].append(len(make(folder, at_rest(name, prores_profile=profile), **MOVING).data))
        if full_chroma:
            check_alpha(
                make(folder, at_rest(name, prores_profile=profile, transparent=True), background_color=None), name
            )
    assert all(of_kind == sorted(set(of_kind), reverse=True) for of_kind in sizes.values())
    assert make(folder, at_rest(name, transparent=True)).tag == PRORES_TAGS[ProResProfile.P4444]
    assert make(folder, at_rest(name)).tag == PRORES_TAGS[ProResProfile.HQ]


def check_every_nth_frame(folder: Path, name: OutputFormat) -> None:
    whole = make(folder, at_rest(name))
    for nth, frames in ((2, 6), (5, 3), (FRAMES, 1)):
        made = make(folder, at_rest(name, every_nth_frame=nth))
        assert len(made.frames) == frames
        for number, frame in enumerate(made.frames):
            assert np.array_equal(rgba(frame), rgba(whole.frames[number * nth]))
        if frames > 1:
            times = [frame.time for frame in made.frames]
            assert times == pytest.approx([number * nth / FPS for number in range(frames)], abs=0.006)


def check_loops(folder: Path, name: OutputFormat) -> None:
    """Repetitions after the first time, 0 without end (the application extension NETSCAPE2.0); none without it."""
    for loops, expected in ((None, 0), (0, None), (1, 1), (7, 7), (65_535, 65_535)):
        options = {} if loops is None else {"loops": loops}
        _, found, after = make(folder, at_rest(name, **options)).data.partition(b"NETSCAPE2.0\x03\x01")
        assert (int.from_bytes(after[:2], "little") if found else None) == expected


def check_frame(folder: Path, name: OutputFormat) -> None:
    first, default = make(folder, {"format": name.value, "frame": 0}), make(folder, {"format": name.value})
    assert near(middle(first.frames[0]), BACKGROUND, name)
    assert default.data == first.data
    assert first.warnings == ["The text is not visible yet in this frame of the animation; the last one is frame -1."]
    for frame in range(FRAMES):
        one, other = (make(folder, {"format": name.value, "frame": each}).data for each in (frame, frame - FRAMES))
        assert one == other
    assert near(middle(make(folder, {"format": name.value, "frame": -1}).frames[0]), TEXT, name)
    half = (BACKGROUND[0] + TEXT[0]) / 2
    shown = make(folder, {"format": name.value, "frame": 4}, duration_in_frames=16)  # the entrance takes 9 frames
    assert middle(shown.frames[0])[0] == pytest.approx(BACKGROUND[0] + (TEXT[0] - BACKGROUND[0]) * 4 / 9, abs=4)
    assert middle(shown.frames[0])[0] < half


def check_quality(folder: Path, name: OutputFormat) -> None:
    sizes = [len(make(folder, at_rest(name, quality=quality), **MOVING).data) for quality in (1, 30, 60, 80, 100)]
    assert sizes == sorted(set(sizes))
    assert len(make(folder, at_rest(name), **MOVING).data) == sizes[3]


MOVING: Options = {"text": "Moving text", "style": "slide-up", "duration_in_frames": 30, "width": 160, "height": 90}

CHECKS: dict[str, Callable[[Path, OutputFormat], None]] = {
    "width": check_width,
    "height": check_height,
    "scale": check_scale,
    "fps": check_fps,
    "muted": check_muted,
    "crf": check_crf,
    "bitrate_kbps": check_bitrate_kbps,
    "transparent": check_transparent,
    "prores_profile": check_prores_profile,
    "every_nth_frame": check_every_nth_frame,
    "loops": check_loops,
    "frame": check_frame,
    "quality": check_quality,
}


@pytest.mark.parametrize(("name", "option"), PAIRS)
def test_an_option_of_a_format_has_its_effect(tmp_path: Path, name: OutputFormat, option: str) -> None:
    CHECKS[option](tmp_path, name)


@pytest.mark.parametrize("name", [name for name in ROWS if not FORMATS[name].even])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (17, 33)])
def test_the_smallest_sizes_can_be_made(tmp_path: Path, name: OutputFormat, width: int, height: int) -> None:
    transparent = {"transparent": True} if "transparent" in FORMATS[name].options else {}
    for options in ({}, transparent):
        made = make(tmp_path, at_rest(name, width=width, height=height, **options))
        assert made.size == (width, height)
        assert len(made.frames) == (1 if FORMATS[name].kind is OutputKind.STILL else FRAMES)


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize(("long", "short"), [("width", "height"), ("height", "width")])
def test_the_longest_and_thinnest_videos_can_be_made(tmp_path: Path, name: OutputFormat, long: str, short: str) -> None:
    thinnest = max(FORMATS[name].min_side, 2 if FORMATS[name].even else 1)
    options = at_rest(name, **{long: MAX_SIDE_PX, short: thinnest})
    made = make(tmp_path, options, duration_in_frames=1)
    assert sorted(made.size) == [thinnest, MAX_SIDE_PX]
