"""Texts on the terminal."""

import pytest

from commands.client.views import printable, size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_have_decimal_units(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b]0;b\x07\u202ec\nd") == "a�]0;b��c\nd"
