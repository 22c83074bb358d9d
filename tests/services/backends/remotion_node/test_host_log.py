"""The log of a render host: what compositions write, cut and limited."""

import asyncio

import pytest

from services.backends.remotion_node.host_log import BLOCK_BYTES, INTERVAL_S, MAX_LINE_BYTES, MAX_LINES, HostLog
from services.clock import RunningTime
from tests.support.fake_clock import FakeClock

PREFIX = "renderer process 7: "


async def written(
    *blocks: bytes, clock: FakeClock, caplog: pytest.LogCaptureFixture, pause_s: float = 0.0
) -> list[str]:
    """Return the messages for these blocks, with a pause after each."""
    caplog.set_level("INFO")
    stream = asyncio.StreamReader(limit=2 * BLOCK_BYTES)
    reading = asyncio.create_task(HostLog(7, RunningTime(clock)).read(stream))
    for block in blocks:
        stream.feed_data(block)
        while stream._buffer:  # type: ignore[attr-defined]  # noqa: ASYNC110  # until it is read
            await asyncio.sleep(0)
        await clock.advance(pause_s)
    stream.feed_eof()
    await reading
    return [record.getMessage().removeprefix(PREFIX) for record in caplog.records]


async def test_lines_are_logged_without_styles_and_control_characters(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = (b"\x1b[31mone\x1b[39m\ntw", b"o\r\x07\xff", b"\nlast")
    assert await written(*blocks, clock=clock, caplog=caplog) == ["one", "two  \N{REPLACEMENT CHARACTER}", "last"]


async def test_a_long_line_is_cut(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    blocks = (*[b"x" * BLOCK_BYTES] * 3, b"\nnext\n")
    assert await written(*blocks, clock=clock, caplog=caplog) == ["x" * MAX_LINE_BYTES, "next"]


async def test_only_some_lines_of_each_interval_are_logged(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    many = b"x\n" * (MAX_LINES + 5)
    shown = [*["x"] * MAX_LINES, "5 further lines"]
    assert await written(many, many, clock=clock, caplog=caplog, pause_s=INTERVAL_S) == shown * 2
