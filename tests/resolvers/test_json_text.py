"""Reading and writing of JSON."""

import pytest

from resolvers.json_text import JsonRejected, read_json, write_json


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"a": 1, "\\u0061": 2}', '[{"b": {"c": 1, "d": 2, "c": 3}}]'])
def test_duplicate_keys_are_rejected_in_any_object(text: str) -> None:
    with pytest.raises(JsonRejected, match="the same key twice"):
        read_json(text)


def test_the_same_key_in_several_objects_is_accepted() -> None:
    assert read_json(b'{"a": {"a": 1}, "A": [{"a": 2}, {"a": {}}]}') == {"a": {"a": 1}, "A": [{"a": 2}, {"a": {}}]}


def test_keys_keep_their_order() -> None:
    assert write_json(read_json('{"b": 1, "a": 2}')) == b'{"b":1,"a":2}'


def test_deep_nesting_is_rejected_instead_of_ending_the_process() -> None:
    with pytest.raises(JsonRejected, match="nested too deeply"):
        read_json("[" * 100_000 + "]" * 100_000)
    assert read_json('{"a":' * 200 + "1" + "}" * 200)


@pytest.mark.parametrize(
    "text", ["", "{", "{'a': 1}", '{"a": 1,}', "[NaN]", "-Infinity", b"\xff", '"\x01"', "9" * 5_000]
)
def test_what_is_not_valid_json_is_rejected(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_an_unpaired_surrogate_is_read_for_the_validation_of_its_field() -> None:
    assert read_json('{"text": "a\\ud800"}') == {"text": "a\ud800"}


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "é 🎬"]}, "\ud800", 2**70])
def test_what_is_written_is_read_as_the_same_value(value: object) -> None:
    assert read_json(write_json(value)) == value
