"""URLs of outputs and previews that stay the same for some minutes, with a fake clock."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.models import Download, Output, replace
from services.renders.download_urls import MAX_LIFETIME, MAX_STEP, MAX_URLS, PREVIEW_EXPIRY, DownloadUrls
from tests.conftest import MakeRender
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock
from tests.support.text_renderer import text_renderer

HOUR = timedelta(hours=1)
OUTPUT = Output(bucket="local", key="01hzzzzzzzzzzzzzzzzzzzzzzz.mp4", size_bytes=1)


class Signer(FakeBackend):
    """Signs URLs that are never equal, as those of a storage of objects."""

    def __init__(self, clock: FakeClock, *, credentials_s: float = 1e6) -> None:
        super().__init__()
        self.clock = clock
        self.lifetimes: list[timedelta] = []
        self._credentials_s = credentials_s

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        del output, file_name
        self.lifetimes.append(expires_in)
        expires_at = self.clock.now() + min(expires_in, timedelta(seconds=self._credentials_s))
        return Download(url=f"https://x/{len(self.lifetimes)}", expires_at=expires_at)


@pytest.mark.parametrize(
    ("lifetime", "step"),
    [
        (HOUR, timedelta(minutes=5)),
        (timedelta(minutes=12), timedelta(minutes=1)),
        (timedelta(seconds=2), timedelta(seconds=1)),
    ],
)
async def test_a_url_stays_the_same_and_is_always_valid_for_its_lifetime(
    clock: FakeClock, lifetime: timedelta, step: timedelta
) -> None:
    urls, signer = DownloadUrls(), Signer(clock)
    seen = []
    for _ in range(60):
        download = urls.sign(signer, OUTPUT, expiry=lifetime, now=clock.now())
        assert download is not None
        assert lifetime <= download.expires_at - clock.now() < lifetime + step
        seen.append(download.url)
        await clock.advance(step.total_seconds() / 20)
    assert len(set(seen)) in (3, 4)


@pytest.mark.parametrize(("credentials_s", "step_s"), [(3500, 291), (60, 5), (5, 1)])
async def test_a_url_that_expires_with_its_credentials_is_reused_for_a_part_of_its_lifetime(
    clock: FakeClock, credentials_s: float, step_s: float
) -> None:
    urls, signer = DownloadUrls(), Signer(clock, credentials_s=credentials_s)

    def sign() -> Download | None:
        return urls.sign(signer, OUTPUT, expiry=HOUR, now=clock.now())

    first = sign()
    await clock.advance(step_s)
    assert sign() == first
    await clock.advance(0.1)
    second = sign()
    assert second != first
    assert second is not None
    assert second.expires_at - clock.now() == timedelta(seconds=credentials_s)


async def test_no_url_is_valid_for_longer_than_s3_allows(clock: FakeClock) -> None:
    urls, signer = DownloadUrls(), Signer(clock)
    for _ in range(100):
        urls.sign(signer, OUTPUT, expiry=MAX_LIFETIME, now=clock.now())
        await clock.advance(7)
    assert len(signer.lifetimes) in (3, 4)
    assert all(MAX_LIFETIME - MAX_STEP <= each <= MAX_LIFETIME for each in signer.lifetimes)


async def test_the_number_of_urls_is_limited(clock: FakeClock) -> None:
    urls, signer = DownloadUrls(), Signer(clock)
    for number in (*range(MAX_URLS + 1), MAX_URLS, 0):
        urls.sign(signer, OUTPUT, expiry=HOUR, now=clock.now(), name=str(number))
    assert len(signer.lifetimes) == MAX_URLS + 2


async def test_processes_with_one_folder_sign_equal_urls(tmp_path: Path, clock: FakeClock) -> None:
    async with text_renderer(tmp_path, width=64, height=64, base_url="https://x", clock=clock) as backend:
        await clock.advance(0.7)
        first = DownloadUrls().sign(backend, OUTPUT, expiry=HOUR, now=clock.now())
        await clock.advance(60)
        assert DownloadUrls().sign(backend, OUTPUT, expiry=HOUR, now=clock.now()) == first


async def test_a_poster_has_its_own_url_and_without_one_there_is_none(clock: FakeClock) -> None:
    urls, signer = DownloadUrls(), Signer(clock)
    assert urls.sign_poster(signer, OUTPUT, expiry=HOUR, now=clock.now()) is None
    output = replace(OUTPUT, poster_key="poster.jpg")
    found = [urls.sign_poster(signer, output, expiry=HOUR, now=clock.now()) for _ in range(2)]
    assert found[0] == found[1] != urls.sign(signer, output, expiry=HOUR, now=clock.now())


async def test_each_preview_has_a_url_of_its_own(clock: FakeClock, make_render: MakeRender) -> None:
    urls, signer, render = DownloadUrls(), Signer(clock), make_render()
    assert urls.sign_preview(signer, render, now=clock.now()) is None
    shown = [replace(render, preview_frame=frame) for frame in (30, 60)]
    first, second = (urls.sign_preview(signer, each, now=clock.now()) for each in shown)
    assert first is not None
    assert first != second
    assert first.expires_at - clock.now() >= PREVIEW_EXPIRY
    assert urls.sign_preview(signer, replace(shown[0], progress=50), now=clock.now()) == first
