"""Killed, stopped and paused workers and API processes: the effect on renders and subscribers."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import Running, wait_until_gone
from tests.end_to_end.production import (
    Site,
    Watcher,
    all_end_well,
    following,
    open_client,
    report,
    started,
    started_slow,
    under_way,
    watching,
)
from tests.support.api_client import TEST_TIMEOUT_S, Client, pauses

QUEUED = int(os.environ.get("QUEUED_RENDERS", "24"))  # 50 are the complete run
LONGER_THAN_THE_TEST_S = 300
FIVE_MINUTES_S = 300
SEVERAL_POLLS_S = 3
SHIFTED = str(Path(__file__).with_name("shifted.py"))


async def test_another_worker_restarts_the_renders_of_a_killed_worker(site: Site) -> None:
    api, first, second = site.start("serve --port 0", "worker", "worker")
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client, client) as watchers:
            await under_way(site, client, first, second)
            site.kill(first)
            interrupted = site.leased_to(first) - site.finished_files()
            site.renderers.speed_up()
        assert interrupted
        assert await all_end_well(site, client, ids) == interrupted
    report("worker killed", ids, interrupted, watchers)


async def test_a_worker_that_gets_sigterm_releases_its_renders_at_once(site: Site) -> None:
    api, first, second = site.start("serve --port 0", "worker", "worker", lease_s=LONGER_THAN_THE_TEST_S)
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client, client) as watchers:
            await under_way(site, client, first, second)
            leased, children = site.leased_to(first), first.children()
            assert first.end(signal.SIGTERM) == 0
            assert site.leased_to(first) == set()
            wait_until_gone(children)
            site.renderers.speed_up()
        twice = await all_end_well(site, client, ids)
        assert twice <= leased
    assert list(site.outputs.glob("*.part")) == []
    assert (second.end(), api.end()) == (0, 0)
    report("worker stopped with SIGTERM", ids, twice, watchers)


async def test_two_workers_that_start_in_parallel_start_each_queued_render_once(site: Site) -> None:
    (api,) = site.start("serve --port 0", max_connections_per_user=QUEUED)
    async with open_client(api.url) as client:
        ids = await started(client, count=QUEUED, frames=2)
        async with watching(ids, client) as watchers:
            first, second = site.start("worker", "worker")
        assert await all_end_well(site, client, ids) == set()
    assert (first.end(), second.end()) == (0, 0)
    report("two workers started in parallel", ids, (), watchers)


async def test_workers_with_wrong_clocks_take_no_leases_from_each_other(site: Site) -> None:
    (api,) = site.start("serve --port 0")
    ahead, behind = (
        site.run(sys.executable, SHIFTED, str(off_s), "worker")  # its lease is much shorter than the shift
        for off_s in (FIVE_MINUTES_S, -FIVE_MINUTES_S)
    )
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, ahead, behind)
            await asyncio.sleep(SEVERAL_POLLS_S)
            site.renderers.speed_up()
        assert await all_end_well(site, client, ids) == set()
    report("clocks 10 minutes apart", ids, (), watchers)


async def test_a_paused_worker_that_resumes_while_another_runs_its_renders_stops_them(site: Site) -> None:
    api, first, second = site.start("serve --port 0", "worker", "worker")
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, first, second)
            first.process.send_signal(signal.SIGSTOP)
            lost = site.leased_to(first)
            await until_taken_over(site, second, lost)
            first.process.send_signal(signal.SIGCONT)
            await until_leases_lost(first, 1)
            site.renderers.speed_up()
        twice = await all_end_well(site, client, ids)
        assert twice <= lost
    assert (first.end(), second.end()) == (0, 0)
    report("worker paused beyond its lease, resumed during its successor's work", ids, twice, watchers)


async def test_a_paused_worker_that_resumes_after_the_end_changes_nothing(site: Site) -> None:
    api, first, second = site.start("serve --port 0", "worker", "worker")
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, first, second)
            first.process.send_signal(signal.SIGSTOP)
            held, finished = site.leased_to(first), site.finished_files()
            site.renderers.speed_up()
        assert await all_end_well(site, client, ids) == held - finished
        renders, files = await _listed(client), _files(site)
        first.process.send_signal(signal.SIGCONT)
        await until_leases_lost(first, len(held))
        assert await _listed(client) == renders
        assert _files(site) == files
    assert (first.end(), second.end()) == (0, 0)
    report("worker paused beyond its lease, resumed after the end", ids, held - finished, watchers)


async def _listed(client: Client) -> list[dict[str, Any]]:
    """Return all renders without their URLs, which are signed again each time."""
    signed = {"outputUrl", "outputUrlExpiresAt", "posterUrl", "posterUrlExpiresAt"}
    renders = await client.list_renders(first=100)
    return [{name: value for name, value in render.items() if name not in signed} for render in renders]


async def test_subscribers_of_a_killed_api_process_continue_at_another_and_miss_nothing(site: Site) -> None:
    first, second, worker = site.start("serve --port 0", "serve --port 0", "worker")
    async with open_client(first.url) as one, open_client(second.url) as other:
        ids = await started_slow(site, one)
        watchers = [Watcher(render_id, one, other) for render_id in ids for _ in range(2)]
        async with following(watchers):
            await under_way(site, other, worker)
            site.kill(first)
            site.renderers.speed_up()
        moved = sum(len(watcher.connections) == 2 for watcher in watchers)
        assert moved
        assert await all_end_well(site, other, ids) == set()
    report(f"API process killed, {moved} subscribers moved", ids, (), watchers)


async def until_taken_over(site: Site, successor: Running, render_ids: set[str]) -> None:
    """Wait until the successor has leased one of the renders."""
    pause = pauses()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while not site.leased_to(successor) & render_ids:  # noqa: ASYNC110  # another process
            await asyncio.sleep(next(pause))


async def until_leases_lost(worker: Running, count: int) -> None:
    """Wait until the worker has logged the loss of this number of leases."""
    pause = pauses()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while worker.log.count("lost its lease") < count:  # noqa: ASYNC110  # another process
            await asyncio.sleep(next(pause))


def _files(site: Site) -> dict[str, tuple[int, int]]:
    """Return the inode and the modification time of each video and poster."""
    finished = [path for path in site.outputs.iterdir() if path.suffix != ".part"]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in finished}
