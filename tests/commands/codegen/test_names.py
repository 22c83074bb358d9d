"""Names of types and constants."""

import pytest

from commands.codegen.names import MAX_LENGTH, Names, constant_name, type_name


@pytest.mark.parametrize(
    ("text", "type_", "constant"),
    [
        ("Hello", "Hello", "HELLO"),
        ("my-video-2", "MyVideo2", "MY_VIDEO_2"),
        ("myVideo2", "MyVideo2", "MY_VIDEO_2"),
        ("HTMLVideo", "HTMLVideo", "HTML_VIDEO"),
        ("2nd-intro", "2NdIntro", "2ND_INTRO"),
        ("a__b c.d/e", "ABCDE", "A_B_C_D_E"),
        ("视频1", "U89C6U98911", "U89C6_U9891_1"),
        ("é", "UE9", "UE9"),
        ("'\"; import os", "ImportOs", "IMPORT_OS"),
        ("-", "", ""),
    ],
)
def test_a_name_has_ascii_letters_and_digits(text: str, type_: str, constant: str) -> None:
    assert (type_name(text), constant_name(text)) == (type_, constant)


def test_a_name_is_taken_once() -> None:
    names = Names()
    taken = [
        names.take(each, fallback="Composition") for each in ("Hello", "Hello", "Hello", "Hello2", "HELLO", "HELLO")
    ]
    assert taken == ["Hello", "Hello2", "Hello3", "Hello22", "HELLO", "HELLO_2"]


def test_names_that_are_no_names_begin_with_the_fallback() -> None:
    names = Names()
    assert [names.take(each, fallback="Composition") for each in ("2024", "", "Any", "None")] == [
        "Composition2024",
        "Composition2",
        "Any2",
        "None2",
    ]


def test_a_name_is_not_longer_than_the_limit_and_a_number() -> None:
    names = Names()
    assert [len(names.take("x" * 1000, fallback="")) for _ in range(3)] == [MAX_LENGTH, MAX_LENGTH + 1, MAX_LENGTH + 1]
