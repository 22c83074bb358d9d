import pytest

from services.backends.remotion_lambda.downloads import response_headers


@pytest.mark.parametrize("extension", ["mp4", "webm", "mov", "gif", "mp3", "png", "jpeg", "webp", "pdf"])
def test_the_media_type_that_is_stored_is_served(extension: str) -> None:
    assert response_headers(f"rendercast/a-1.{extension}", None) == {}


def test_an_unregistered_media_type_is_replaced() -> None:
    assert response_headers("rendercast/a-1.aac", None) == {"response-content-type": "audio/aac"}
    assert response_headers("rendercast/a-1.wav", "a.wav") == {
        "response-content-disposition": 'attachment; filename="a.wav"',
        "response-content-type": "audio/wav",
    }
