"""The limits on JSON values of clients."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compositions.json_limits import MAX_DEPTH, MAX_PROBLEMS, MORE_PROBLEMS, check_json
from services.errors import PathProblem

MAX_BYTES = 10_000
INTEGER = "Give a whole number from -9007199254740991 to 9007199254740991, or a text: JavaScript rounds larger numbers."
SURROGATE = "This text is not valid Unicode: remove the unpaired surrogate."
TOO_LARGE = "This is larger than 10,000 bytes as JSON. Use shorter or fewer values."


def problems(value: object) -> dict[str, str]:
    text, found = check_json(value, max_bytes=MAX_BYTES, path="/p")
    assert text is None
    return {problem.path: problem.message for problem in found}


def nested(depth: int, innermost: object = None) -> object:
    value: object = [] if innermost is None else innermost
    for level in range(depth - 1):
        value = [value] if level % 2 else {"a": value}
    return value


def test_the_text_is_compact_and_keeps_the_order_of_keys() -> None:
    value = {"b": 1, "a": [2.5, None, True, "é 🎬"], "": {}}
    assert check_json(value, max_bytes=MAX_BYTES) == ('{"b":1,"a":[2.5,null,true,"é 🎬"],"":{}}', [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, {"/p": "Give a finite number."}),
        ({"a": [1, math.inf, None, -math.inf]}, dict.fromkeys(("/p/a/1", "/p/a/3"), "Give a finite number.")),
        ({"a/b": {"~": 2**53}, "c": -(2**53), "d": 10**300}, dict.fromkeys(("/p/a~1b/~0", "/p/c", "/p/d"), INTEGER)),
        ({"a": "x\ud800", "b": ["\udfff\ud800"]}, dict.fromkeys(("/p/a", "/p/b/0"), SURROGATE)),
        ({"a": {"\ud800": 1}}, {"/p/a": "A key of this object is not valid Unicode text. Remove the key."}),
        ({"\ud800": math.nan}, {"/p": "A key of this object is not valid Unicode text. Remove the key.",
                                "/p/?": "Give a finite number."}),
        ({"x" * 200: math.nan}, {f"/p/{'x' * 100}…": "Give a finite number."}),
        ([object()], {"/p/0": "Give a JSON value."}),
        ({1: 1}, {"/p": "A key of this object is not valid Unicode text. Remove the key."}),
    ],
)  # fmt: skip
def test_what_javascript_would_not_read_unchanged_is_a_problem_at_its_path(
    value: object, expected: dict[str, str]
) -> None:
    assert problems(value) == expected


def test_the_largest_exact_integers_are_accepted() -> None:
    text, _ = check_json([2**53 - 1, 1 - 2**53, 0.5], max_bytes=MAX_BYTES)
    assert text == "[9007199254740991,-9007199254740991,0.5]"


def test_the_first_problems_are_listed_and_then_that_there_are_more() -> None:
    _, found = check_json([math.nan] * 500, max_bytes=MAX_BYTES, path="/p")
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == PathProblem(path="/p", message=MORE_PROBLEMS)
    assert len(check_json([math.nan] * MAX_PROBLEMS, max_bytes=MAX_BYTES)[1]) == MAX_PROBLEMS


def test_the_depth_is_limited() -> None:
    assert check_json(nested(MAX_DEPTH), max_bytes=MAX_BYTES)[1] == []
    assert problems(nested(MAX_DEPTH + 1)) == {"/p": "Nest lists and objects at most 100 deep."}
    assert problems(nested(9_000)) == {"/p": "Nest lists and objects at most 100 deep."}


@pytest.mark.parametrize(
    "value", ["x" * (MAX_BYTES - 2), ["é" * 2499] * 2, {"k" * (MAX_BYTES - 6): 1}, "\x00" * 1666, [1] * 4999]
)
def test_the_size_is_limited_to_the_byte(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode())
    assert check_json(value, max_bytes=size) == (text, [])
    too_large = f"This is larger than {size - 1:,} bytes as JSON. Use shorter or fewer values."
    assert check_json(value, max_bytes=size - 1, path="/p") == (None, [PathProblem(path="/p", message=too_large)])


@pytest.mark.parametrize("part", [list(range(5_000)), "x" * 5_000, {"x" * 5_000: 1}, [[[]]] * 3_000])
def test_a_part_that_occurs_many_times_is_not_written_before_the_size_is_rejected(part: object) -> None:
    value = part
    for _ in range(4):
        value = [value] * 5_000
    assert problems(value) == {"/p": TOO_LARGE}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@pytest.mark.slow  # runs for long
@given(json_values)
def test_the_text_of_every_accepted_value_is_read_as_the_same_value(value: object) -> None:
    text, found = check_json(value, max_bytes=MAX_BYTES)
    assert (text is None) == bool(found)
    if text is not None:
        assert json.loads(text) == value
