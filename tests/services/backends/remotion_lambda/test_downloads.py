import pytest

from services.backends.remotion_lambda.downloads import attachment, response_headers


@pytest.mark.parametrize(
    ("file_name", "header"),
    [
        ("promo.webm", 'attachment; filename="promo.webm"'),
        ("a b;c,d.mp4", 'attachment; filename="a b;c,d.mp4"'),
        ('"a"\\b.mp4', "attachment; filename=\"_a__b.mp4\"; filename*=UTF-8''%22a%22%5Cb.mp4"),
        ("100%41.mp4", "attachment; filename=\"100_41.mp4\"; filename*=UTF-8''100%2541.mp4"),
        ("héllo 漢.gif", "attachment; filename=\"h_llo _.gif\"; filename*=UTF-8''h%C3%A9llo%20%E6%BC%A2.gif"),
        ("a\r\nX: y.png", "attachment; filename=\"a__X: y.png\"; filename*=UTF-8''a%0D%0AX%3A%20y.png"),
        ("\ud800.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%3F.png"),
    ],
)
def test_the_name_of_a_download_is_encoded(file_name: str, header: str) -> None:
    assert attachment(file_name) == header
    assert header.isascii()
    assert header.isprintable()


@pytest.mark.parametrize("extension", ["mp4", "webm", "mov", "gif", "mp3", "png", "jpeg", "webp", "pdf"])
def test_the_media_type_that_is_stored_is_served(extension: str) -> None:
    assert response_headers(f"rendercast/a-1.{extension}", None) == {}


def test_an_unregistered_media_type_is_replaced() -> None:
    assert response_headers("rendercast/a-1.aac", None) == {"response-content-type": "audio/aac"}
    assert response_headers("rendercast/a-1.wav", "a.wav") == {
        "response-content-disposition": 'attachment; filename="a.wav"',
        "response-content-type": "audio/wav",
    }
