"""What every output storage guarantees. s3rver is a server that verifies signatures, unlike moto's."""

from datetime import timedelta

import pytest

from services.media import OutputFormat, OutputOptions
from services.storage.s3_uploads import PART_BYTES
from services.storage.unfinished_files import unfinished
from tests.conftest import MakeRender
from tests.services.storage.conftest import POSTER, VIDEO, Stored

EXPIRY = timedelta(minutes=5)


async def test_a_stored_output_is_found_downloaded_and_deleted(stored: Stored, make_render: MakeRender) -> None:
    render, storage = make_render(), stored.storage
    assert await storage.stored(render) is None
    output = await stored.store(render)
    assert (output.size_bytes, await storage.stored(render), await storage.has_output(output)) == (
        len(VIDEO),
        output,
        True,
    )
    poster = storage.sign_poster(output, expires_in=EXPIRY)
    assert poster is not None
    assert (await stored.fetch(storage.sign(output, expires_in=EXPIRY))).content == VIDEO
    assert (await stored.fetch(poster)).content == POSTER
    for _ in range(2):
        await storage.delete(render)
        assert (await storage.stored(render), await storage.has_output(output)) == (None, False)
        assert (await stored.fetch(poster)).is_error


async def test_the_output_of_another_worker_is_kept(stored: Stored, make_render: MakeRender) -> None:
    render = make_render()
    first = await stored.store(render)
    assert await stored.store(render, video=b"another", poster=None) == first
    assert (await stored.fetch(stored.storage.sign(first, expires_in=EXPIRY))).content == VIDEO


@pytest.mark.parametrize("has_path", [False, True])
async def test_a_poster_is_optional(stored: Stored, make_render: MakeRender, *, has_path: bool) -> None:
    render, storage = make_render(), stored.storage
    missing = unfinished(storage.work_folder, "missing")
    output = await storage.store(render, output=stored.write("video", VIDEO), poster=missing if has_path else None)
    assert output.poster_key is None
    assert storage.sign_poster(output, expires_in=EXPIRY) is None
    assert await storage.stored(render) == output


async def test_a_still_has_no_poster_and_is_not_taken_for_a_video(stored: Stored, make_render: MakeRender) -> None:
    still = make_render(output_options=OutputOptions(format=OutputFormat.PNG))
    output = await stored.store(still)
    assert output.poster_key is None
    assert await stored.storage.stored(make_render(id=still.id)) is None


async def test_a_large_file_is_stored_whole(stored: Stored, make_render: MakeRender) -> None:
    large = bytes(range(256)) * (PART_BYTES // 256) + b"the rest"
    output = await stored.store(make_render(), video=large)
    assert output.size_bytes == len(large)
    assert (await stored.fetch(stored.storage.sign(output, expires_in=EXPIRY))).content == large


async def test_the_newest_preview_is_shown_and_deleted(stored: Stored, make_render: MakeRender) -> None:
    render, storage = make_render(), stored.storage
    first, signed = (storage.sign_preview(render, frame=frame, expires_in=EXPIRY) for frame in (1, 2))
    assert first.url != signed.url
    for jpeg in (b"jpeg 1", b"jpeg 2"):
        await storage.store_preview(render, jpeg)
        assert (await stored.fetch(signed)).content == jpeg
    assert await storage.stored(render) is None
    await storage.delete_preview(render)
    assert (await stored.fetch(signed)).is_error
    await storage.store_preview(render, b"jpeg")
    await storage.delete(render)
    assert (await stored.fetch(signed)).is_error


async def test_the_files_of_other_renders_stay(stored: Stored, make_render: MakeRender) -> None:
    render, other = make_render(), make_render()
    await stored.store(render)
    output = await stored.store(other)
    await stored.storage.delete(render)
    assert await stored.storage.stored(other) == output
