import pytest

from services.backends.remotion_node.options import render_kind, render_options
from services.backends.remotion_options import Capture
from services.media import Media, OutputFormat, OutputOptions

COMPOSITION = Media(frames=90, fps=30, width=640, height=360)
CAPTURE = Capture(image_format="png", color_space="bt709")


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        (
            OutputOptions(width=320, height=180, fps=60, crf=20),
            "media",
            {
                "codec": "h264",
                "imageFormat": "png",
                "crf": 20,
                "scale": 1,
                "everyNthFrame": 1,
                "muted": False,
                "forceWidth": 320,
                "forceHeight": 180,
                "forceFps": 60,
                "forceDurationInFrames": 180,
                "colorSpace": "bt709",
                "licenseKey": "key",
            },
        ),
        (
            OutputOptions(format=OutputFormat.MP3, bitrate_kbps=128),
            "media",
            {
                "codec": "mp3",
                "imageFormat": "none",
                "scale": 1,
                "everyNthFrame": 1,
                "muted": False,
                "audioBitrate": "128k",
                "licenseKey": "key",
            },
        ),
        (
            OutputOptions(format=OutputFormat.JPEG, frame=-1, quality=90),
            "still",
            {"imageFormat": "jpeg", "jpegQuality": 90, "frame": -1, "scale": 1, "licenseKey": "key"},
        ),
        (
            OutputOptions(format=OutputFormat.PNG, scale=2),
            "still",
            {"imageFormat": "png", "frame": 0, "scale": 2, "licenseKey": "key"},
        ),
    ],
)
def test_only_the_options_that_are_set_are_sent(options: OutputOptions, kind: str, expected: dict[str, object]) -> None:
    assert render_kind(options) == kind
    assert render_options(options, COMPOSITION, capture=CAPTURE, license_key="key") == expected


def test_without_a_license_key_none_is_sent() -> None:
    assert "licenseKey" not in render_options(OutputOptions(), COMPOSITION, capture=CAPTURE, license_key=None)
