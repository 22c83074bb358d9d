from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storage.url_signing import DownloadSigner
from tests.support.fake_clock import START_OF_TIME

NOW = START_OF_TIME
SIGNER = DownloadSigner(b"k" * 32)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]))


def parts(url: str) -> tuple[str, str, str]:
    split = urlsplit(url)
    query = parse_qs(split.query)
    return split.path, query["expires"][0], query["signature"][0]


def test_a_signature_is_valid_until_it_expires() -> None:
    name, expires, signature = parts(SIGNER.sign("a.mp4", NOW + timedelta(seconds=10)))
    for seconds, good in ((0, True), (9, True), (10, False), (11, False)):
        at = NOW + timedelta(seconds=seconds)
        assert SIGNER.verify(name, expires=expires, signature=signature, now=at) is good


def test_changing_any_part_invalidates_the_signature() -> None:
    name, expires, signature = parts(SIGNER.sign("a.mp4", NOW + timedelta(hours=1)))
    assert not SIGNER.verify("b.mp4", expires=expires, signature=signature, now=NOW)
    assert not SIGNER.verify(name, expires=str(int(expires) + 1), signature=signature, now=NOW)
    assert not SIGNER.verify(name, expires=expires, signature=signature[:-1] + "g", now=NOW)
    assert not DownloadSigner(b"x" * 32).verify(name, expires=expires, signature=signature, now=NOW)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT)
def test_any_other_text_is_rejected(name: str, expires: str, signature: str, file_name: str | None) -> None:
    assert not SIGNER.verify(name, expires=expires, signature=signature, now=NOW, file_name=file_name)


@pytest.mark.parametrize("file_name", ["Promo.mp4", "a b&c=d.mp4", "größe 100 %.mp4", "../x", ""])
def test_the_signature_covers_the_file_name(file_name: str) -> None:
    url = SIGNER.sign("a.mp4", NOW + timedelta(hours=1), file_name=file_name)
    name, expires, signature = parts(url)
    given_name = parse_qs(urlsplit(url).query, keep_blank_values=True)["name"][0]
    assert given_name == file_name
    for tried, good in ((given_name, True), (None, False), (given_name + "x", False)):
        assert SIGNER.verify(name, expires=expires, signature=signature, now=NOW, file_name=tried) is good


def test_parts_of_one_url_are_no_other_parts_of_another() -> None:
    _, expires, signature = parts(SIGNER.sign("a.mp4", NOW + timedelta(hours=1)))
    later = "99999999999"
    assert not SIGNER.verify("a.mp4", expires=later, signature=signature, now=NOW, file_name=expires)
    assert not SIGNER.verify(f"a.mp4\n{expires}", expires=later, signature=signature, now=NOW)


def test_the_key_is_created_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    signed = DownloadSigner.from_file(path).sign("a", NOW)
    assert DownloadSigner.from_file(path).sign("a", NOW) == signed
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="not a key"):
        DownloadSigner.from_file(path)
