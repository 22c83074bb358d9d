from datetime import timedelta

from services.models import Render, RenderStatus, replace
from services.renders.preview_urls import EXPIRY, MAX_AGE, MAX_URLS, PreviewUrls
from tests.conftest import MakeRender
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import START_OF_TIME

SECOND = timedelta(seconds=1)


def previewed(render: Render, frame: int) -> Render:
    return replace(render, status=RenderStatus.RENDERING, preview_frame=frame)


def test_a_render_without_a_preview_has_no_url(make_render: MakeRender, backend: FakeBackend) -> None:
    assert PreviewUrls().sign(make_render(), backend, now=START_OF_TIME) is None
    assert backend.signed == []


def test_a_preview_has_one_url_until_that_is_a_minute_old(make_render: MakeRender, backend: FakeBackend) -> None:
    urls, render = PreviewUrls(), previewed(make_render(), 30)
    first = urls.sign(render, backend, now=START_OF_TIME)
    assert urls.sign(replace(render, progress=60), backend, now=START_OF_TIME + MAX_AGE - SECOND) is first
    later = urls.sign(render, backend, now=START_OF_TIME + MAX_AGE)
    assert later is not None
    assert later is not first
    assert timedelta(minutes=1) <= EXPIRY - MAX_AGE


def test_each_preview_has_a_url_of_its_own(make_render: MakeRender, backend: FakeBackend) -> None:
    urls, one, other = PreviewUrls(), make_render(), make_render()
    renders = [previewed(one, 30), previewed(one, 60), previewed(other, 30)]
    signed = {urls.sign(render, backend, now=START_OF_TIME) for render in renders}
    assert len({download.url for download in signed if download is not None}) == 3


def test_old_urls_are_forgotten(make_render: MakeRender, backend: FakeBackend) -> None:
    urls, render = PreviewUrls(), make_render()
    for frame in (*range(MAX_URLS + 1), MAX_URLS, 0):
        urls.sign(previewed(render, frame), backend, now=START_OF_TIME)
    assert len(backend.signed) == MAX_URLS + 2
