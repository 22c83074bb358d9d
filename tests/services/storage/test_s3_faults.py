"""A bucket that is unavailable, slow, missing or rejects requests, and uploads that are cancelled."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services import models
from services.errors import BackendUnavailable, StartupError
from services.models import Output, Render
from services.storage.finished_files import NotStored, store_finished
from services.storage.keys import FOLDER_BUCKET, output_name, poster_name
from services.storage.s3_uploads import PART_BYTES
from tests.conftest import MakeRender
from tests.services.storage.conftest import BUCKET, POSTER, VIDEO, Stored, fetch_url, open_bucket, s3_access
from tests.support.fake_clock import FakeClock
from tests.support.s3_server import FaultyS3, S3Fault, S3Server

pytestmark = pytest.mark.slow

EXPIRY = timedelta(minutes=1)
LARGE = bytes(PART_BYTES + 1)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  # in other threads
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", [S3Fault.SLOW_DOWN, S3Fault.INTERNAL_ERROR, S3Fault.RESET])
async def test_an_unavailable_storage_is_not_the_operators_fault(
    bucket: Stored, faulty: FaultyS3, make_render: MakeRender, fault: S3Fault
) -> None:
    faulty.fail(fault)
    render = make_render()
    for use in (bucket.store(render), bucket.storage.stored(render), bucket.storage.delete(render)):
        with pytest.raises(BackendUnavailable) as error:
            await use
        assert error.value.failure is None


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (S3Fault.ACCESS_DENIED, "ACCESS_DENIED", "grant s3:PutObject to the key RENDERCAST_OUTPUT_ACCESS_KEY_ID"),
        (S3Fault.EXPIRED_TOKEN, "CREDENTIALS_INVALID", "correct RENDERCAST_OUTPUT_ACCESS_KEY_ID and"),
        (S3Fault.NOT_IMPLEMENTED, "REQUEST_REFUSED", "The output storage rejects a request"),
    ],
)
async def test_a_rejected_upload_has_a_remedy(
    bucket: Stored, faulty: FaultyS3, make_render: MakeRender, fault: S3Fault, code: str, words: str
) -> None:
    faulty.fail(fault, method="PUT", containing=".mp4")
    with pytest.raises(NotStored) as rejected:
        await finish(bucket, make_render(), FakeClock())
    failure = rejected.value.failure
    assert (failure.code, failure.retryable) == (code, True)
    assert words in (failure.detail or "")


async def test_a_missing_bucket_has_a_remedy(s3_server: S3Server, tmp_path: Path, make_render: MakeRender) -> None:
    access = replace(s3_access(s3_server.url), bucket="nothing-here")
    async with open_bucket(access, tmp_path, with_worker=False) as storage:
        storage.work_folder.mkdir()
        with pytest.raises(NotStored) as rejected:
            await finish(Stored(storage=storage, fetch=fetch_url), make_render(), FakeClock())
    assert "correct RENDERCAST_OUTPUT_BUCKET" in (rejected.value.failure.detail or "")
    with pytest.raises(StartupError, match=r"^The output storage can't be used \(the bucket nothing-here at http"):
        async with open_bucket(access, tmp_path):
            pass


async def test_a_bucket_that_can_not_be_written_prevents_the_start(faulty: FaultyS3, tmp_path: Path) -> None:
    faulty.fail(S3Fault.ACCESS_DENIED, method="PUT")
    with pytest.raises(StartupError, match="grant s3:PutObject to the key RENDERCAST_OUTPUT_ACCESS_KEY_ID"):
        async with open_bucket(s3_access(faulty.url), tmp_path):
            pass


async def test_deleting_needs_no_request_for_many_objects_at_once(
    bucket: Stored, faulty: FaultyS3, s3_server: S3Server, make_render: MakeRender
) -> None:
    """MinIO, before it knew the checksums of newer clients, and other storages reject boto3's form of it."""
    faulty.fail(S3Fault.NOT_IMPLEMENTED, method="POST", containing="delete")
    render = make_render()
    await bucket.store(render)
    await bucket.storage.delete(render)
    assert s3_server.keys(BUCKET, f"rendercast/{render.id}") == []


async def test_an_output_is_stored_once_the_storage_is_available(
    bucket: Stored, faulty: FaultyS3, make_render: MakeRender
) -> None:
    render, clock = make_render(), FakeClock()
    faulty.stop()
    storing = asyncio.create_task(finish(bucket, render, clock))
    for _ in range(3):
        await until(lambda: clock._sleepers)
        await clock.advance(60)
    faulty.start()
    await until(lambda: clock._sleepers or storing.done())
    await clock.advance(60)
    await storing
    assert await bucket.storage.stored(render) is not None


async def test_a_cancelled_upload_in_parts_is_aborted(
    bucket: Stored, faulty: FaultyS3, make_render: MakeRender
) -> None:
    render = make_render()
    faulty.fail(S3Fault.HELD, method="PUT", containing="partNumber=2")
    storing = asyncio.create_task(bucket.store(render, video=LARGE))
    await until(lambda: faulty.held)
    storing.cancel()
    faulty.release()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert faulty.count("DELETE", "uploadId=", 204) == 1
    assert await bucket.storage.stored(render) is None


async def test_a_failed_upload_in_parts_is_aborted(bucket: Stored, faulty: FaultyS3, make_render: MakeRender) -> None:
    faulty.fail(S3Fault.SLOW_DOWN, method="PUT", containing="partNumber=2")
    with pytest.raises(BackendUnavailable):
        await bucket.store(make_render(), video=LARGE)
    assert faulty.count("DELETE", "uploadId=", 204) == 1


async def test_a_slow_storage_delays_nothing_else(bucket: Stored, faulty: FaultyS3, make_render: MakeRender) -> None:
    slow, other = make_render(), make_render()
    faulty.fail(S3Fault.HELD, method="PUT", containing=slow.id)
    storing = asyncio.create_task(bucket.store(slow, poster=None))
    await until(lambda: faulty.held)
    await bucket.store(other)
    assert not storing.done()
    faulty.release()
    assert (await storing).size_bytes == len(VIDEO)


async def test_a_render_that_two_workers_upload_is_stored_once(
    bucket: Stored, faulty: FaultyS3, s3_server: S3Server, make_render: MakeRender
) -> None:
    render = make_render()
    faulty.fail(S3Fault.HELD, method="PUT", containing=".mp4", times=1)
    first = asyncio.create_task(bucket.store(render))
    await until(lambda: faulty.held)
    second = await bucket.store(render)
    faulty.release()
    assert await first == second == await bucket.storage.stored(render)
    assert len(s3_server.keys(BUCKET, f"rendercast/{render.id}")) == 2


async def test_a_render_that_is_deleted_during_its_upload_can_be_deleted_again(
    bucket: Stored, faulty: FaultyS3, s3_server: S3Server, make_render: MakeRender
) -> None:
    """Only a worker that was suspended can still upload: the render has ended, and then its owner deletes it."""
    render = make_render()
    faulty.fail(S3Fault.HELD, method="PUT", containing=".mp4")
    storing = asyncio.create_task(bucket.store(render))
    await until(lambda: faulty.held)
    await bucket.storage.delete(render)
    storing.cancel()
    faulty.release()
    await asyncio.wait([storing])
    await bucket.storage.delete(render)
    assert s3_server.keys(BUCKET, f"rendercast/{render.id}") == []


async def test_a_poster_that_is_rejected_is_left_out(bucket: Stored, faulty: FaultyS3, make_render: MakeRender) -> None:
    faulty.fail(S3Fault.ACCESS_DENIED, method="PUT", containing=".jpg")
    assert (await bucket.store(make_render())).poster_key is None


async def test_an_output_of_a_folder_is_that_which_was_copied_into_the_bucket(
    bucket: Stored, s3_server: S3Server, make_render: MakeRender
) -> None:
    render, storage = make_render(), bucket.storage
    key, poster_key = output_name(render), poster_name(render)
    output = Output(bucket=FOLDER_BUCKET, key=key, size_bytes=len(VIDEO), poster_key=poster_key)
    ended = models.replace(render, output=output)
    await storage.delete(ended)
    assert not await storage.has_output(output)
    for name, content in ((key, VIDEO), (poster_key, POSTER)):
        s3_server.put(BUCKET, f"rendercast/{name}", content)
    assert await storage.has_output(output)
    poster = storage.sign_poster(output, expires_in=EXPIRY)
    assert poster is not None
    assert [(await fetch_url(url)).content for url in (storage.sign(output, expires_in=EXPIRY), poster)] == [
        VIDEO,
        POSTER,
    ]
    await storage.delete(ended)
    assert s3_server.keys(BUCKET, f"rendercast/{render.id}") == []


async def finish(bucket: Stored, render: Render, clock: FakeClock) -> None:
    await store_finished(
        bucket.storage, render, output=bucket.write("video", VIDEO), poster=bucket.write("poster", POSTER), clock=clock
    )
