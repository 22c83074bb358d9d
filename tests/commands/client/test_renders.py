"""`rendercast list`, `cancel` and `quota` as processes, with a real server."""

import json

import pytest

from tests.commands.conftest import ENDLESS, Run
from tests.end_to_end.processes import Rendercast
from tests.support.api_client import open_client

pytestmark = pytest.mark.slow


@pytest.fixture
async def render_ids(server: Rendercast) -> list[str]:
    """A render that is complete, and one that was cancelled."""
    async with open_client(server.url) as client:
        ids = [
            await client.start_render(text="A text that is \n" + "long " * 20, durationInFrames=n) for n in (1, ENDLESS)
        ]
        await client.until(ids[0], status="COMPLETE")
        return ids


def test_renders_are_listed_and_cancelled(run: Run, render_ids: list[str]) -> None:
    complete, endless = render_ids
    assert run("cancel", endless, "--json").returncode == 0
    refused = run("cancel", complete)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"already ended" in refused.stderr
    header, first, second = run("list").stdout.decode().splitlines()
    assert header.split() == ["id", "status", "progress", "created", "size", "text"]
    assert first.split()[:2] == [endless, "cancelled"]
    assert second.split()[:4] == [complete, "complete", "100", "%"]
    assert second.endswith("…")
    assert "A text that is long long" in second
    listed = run("list", "--status", "cancelled", "--status", "failed", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [endless]
    assert run("list", "--first", "1").stdout.decode().splitlines() == [header, first]
    assert json.loads(run("quota", "--json").stdout)["remaining"] == 998
