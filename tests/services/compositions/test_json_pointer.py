"""JSON Pointers to values of a client's input."""

import pytest

from services.compositions.json_pointer import child


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", "/p/a"),
        (0, "/p/0"),
        ("", "/p/"),
        ("a/b~c~1", "/p/a~1b~0c~01"),
        ("é 漢", "/p/é 漢"),
        ("\ud800x", "/p/?x"),
        ("x" * 101, f"/p/{'x' * 100}…"),
    ],
)
def test_the_pointer_to_a_member(key: object, expected: str) -> None:
    assert child("/p", key) == expected
