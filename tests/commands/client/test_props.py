"""The props of `--props` and `--set`."""

import io
import sys
from pathlib import Path

import pytest
import typer

from commands.client.props import assign, changed_in_part, read_assignments, read_props

Props = dict[str, object]


def after(props: Props, *texts: str) -> Props:
    assign(props, read_assignments(texts))
    return props


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("title=Hi", "Hi"),
        ("title=a=b", "a=b"),
        ("title=", ""),
        ("title=3", 3),
        ('title="3"', "3"),
        ("title=true", True),
        ("title=null", None),
        ("title=1.5e3", 1500.0),
        ('title=[1, {"a": 2}]', [1, {"a": 2}]),
        ("title=[1,", "[1,"),
        ("title=NaN", "NaN"),
        ("title=-1e999", "-1e999"),
        ("title=Grüße, 世界", "Grüße, 世界"),
        ('title={"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_json_if_it_is_valid_json_else_a_string(text: str, value: object) -> None:
    assert after({}, text) == {"title": value}


@pytest.mark.parametrize(
    ("text", "props"),
    [
        ("a.b.c=1", {"a": {"b": {"c": 1}}}),
        ("a[0].b=1", {"a": [{"b": 1}]}),
        ("a[0][0]=1", {"a": [[1]]}),
        ('a["b.c"]["[\\"]="]=1', {"a": {"b.c": {'["]=': 1}}}),
        ('["a b"]=1', {"a b": 1}),
        ("a-b.$c=1", {"a-b": {"$c": 1}}),
    ],
)
def test_a_path_creates_what_is_missing(text: str, props: Props) -> None:
    assert after({}, text) == props


def test_parts_of_props_are_changed_in_order() -> None:
    props: Props = {"scenes": [{"title": "A", "seconds": 1}, {"title": "B"}], "brand": None, "kept": 1}
    texts = ("scenes[0].seconds=3", "scenes[1]={}", "scenes[2].title=C", "brand.color=red", "n=1", "n=2")
    assert after(props, *texts) == {
        "scenes": [{"title": "A", "seconds": 3}, {}, {"title": "C"}],
        "brand": {"color": "red"},
        "kept": 1,
        "n": 2,
    }


@pytest.mark.parametrize(
    "text", ["", "title", "=1", ".a=1", "a.=1", "a..b=1", "[0]=1", "a[x]=1", "a[-1]=1", "a[0]b=1", "a[0=1", "a[]=1"]
)
def test_an_assignment_without_a_path_or_value_is_rejected(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="must look like title=Hi"):
        read_assignments([text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("list[3]=1", r"list\[3\]: the list has 2 items, so \[3\] is past its end\."),
        ("list.a=1", "list.a: the value before “a” is not an object."),
        ("text[0]=1", r"text\[0\]: the value before \[0\] is not a list\."),
        ("text.a.b=1", "text.a.b: the value before “a” is not an object."),
        ("new[1]=1", "the list has 0 items"),
    ],
)
def test_a_path_that_leads_nowhere_is_rejected(text: str, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        after({"list": [1, 2], "text": "abc"}, text)


def test_only_props_that_are_changed_in_part_need_their_default() -> None:
    texts = ["a.b=1", "c=[]", "c[0]=1", "d[0]=1", "e.f=1"]
    assert changed_in_part({"e": {}}, read_assignments(texts)) == {"a", "d"}


def test_props_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "props.json"
    file.write_bytes(b'\xef\xbb\xbf{"title": "Hi", "n": 1}')
    assert read_props(file) == {"title": "Hi", "n": 1}
    assert read_props(None) == {}


def test_props_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('{"title": "Grüße"}'.encode())))
    assert read_props(Path("-")) == {"title": "Grüße"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON: .* line 1 column 2"),
        (b"[1]", "must contain a JSON object"),
        (b'{"a": NaN}', "it contains NaN"),
        (b'{"a": [1e999]}', "it contains 1e999"),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' occurs twice"),
        (b'"\xff"', "is not valid JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested too deeply"),
    ],
    ids=range(8),
)
def test_a_file_without_a_json_object_is_rejected(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "props.json"
    file.write_bytes(content)
    with pytest.raises(typer.BadParameter, match=message):
        read_props(file)


def test_a_file_that_does_not_exist_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"props\.json can't be read: No such file or directory"):
        read_props(tmp_path / "props.json")
