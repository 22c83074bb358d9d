"""Reading of the compositions of a Remotion site."""

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compositions import remotion
from services.compositions.remotion import MAX_COMPOSITIONS, RENDERCAST_COMPOSITION_ID, read_compositions
from services.media import OutputFormat, OutputKind, formats_of
from services.models import Composition, CompositionKind

SITE = json.loads(Path("tests/data/remotion-compositions.json").read_text(encoding="utf-8"))
ALL = frozenset(OutputFormat)
TEXT_SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


def entry(composition_id: object = "Promo", **changes: object) -> dict[str, object]:
    return {
        "id": composition_id,
        "width": 1280,
        "height": 720,
        "fps": 30,
        "durationInFrames": 60,
        "defaultProps": {"title": "Hi"},
        "props": {"title": "changed by calculateMetadata"},
        **changes,
    }


def hidden(**compositions: object) -> dict[str, object]:
    return entry(RENDERCAST_COMPOSITION_ID, durationInFrames=1, props={"compositions": compositions})


def read_one(*entries: object) -> Composition:
    [composition] = read_compositions(entries, formats=ALL)
    return composition


def test_a_site_with_the_helper() -> None:
    promo, card, plain, event = read_compositions(SITE["with_helper"], formats=ALL)
    assert (promo.id, promo.kind, promo.is_dynamic) == ("Promo", CompositionKind.VIDEO, True)
    assert (promo.width, promo.height, promo.fps, promo.duration_in_frames) == (1280, 720, 30, 30)
    assert json.loads(promo.default_props)["bg"] == {"type": "color", "color": "#000000"}
    assert json.loads(promo.props_schema or "")["properties"]["title"]["maxLength"] == 60
    assert (card.id, card.kind, card.is_dynamic) == ("Card", CompositionKind.STILL, False)
    assert (plain.id, plain.props_schema, plain.default_props) == ("Plain", None, "{}")
    assert (event.id, event.props_schema, event.is_dynamic) == ("Event", None, False)


@pytest.mark.parametrize(("calculates", "count"), [(True, len(ALL)), (False, 4), (None, 4)])
def test_one_frame_with_the_default_props_may_be_a_video_with_others(*, calculates: bool | None, count: int) -> None:
    description = {"schema": None, "calculatesMetadata": calculates}
    slides = read_one(entry("Slides", durationInFrames=1), hidden(Slides=description))
    assert (slides.kind, len(slides.outputs)) == (CompositionKind.STILL, count)


def test_a_site_without_the_helper_has_no_schemas() -> None:
    compositions = read_compositions(SITE["without_helper"], formats=ALL)
    assert [each.id for each in compositions] == ["Promo", "Card", "Plain", "Event"]
    assert {(each.props_schema, each.is_dynamic) for each in compositions} == {(None, None)}


def test_the_outputs_are_the_backends_formats_for_the_kind_in_their_order() -> None:
    answer = [entry(), entry("Card", durationInFrames=1)]
    video, still = read_compositions(answer, formats=ALL)
    assert video.outputs == tuple(OutputFormat)
    assert still.outputs == (OutputFormat.PNG, OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.PDF)
    video, still = read_compositions(answer, formats=formats_of(OutputKind.AUDIO) | {OutputFormat.PDF})
    assert video.outputs == (OutputFormat.MP3, OutputFormat.AAC, OutputFormat.WAV, OutputFormat.PDF)
    assert still.outputs == (OutputFormat.PDF,)


@pytest.mark.parametrize("answer", [None, {}, "[]", 3, b"[]"])
def test_an_answer_that_is_no_list_is_rejected(answer: object) -> None:
    with pytest.raises(ValueError, match="is not a list"):
        read_compositions(answer, formats=ALL)


@pytest.mark.parametrize(
    "other",
    [
        None,
        "Promo",
        [],
        {},
        entry(3),
        entry(""),
        entry("two words"),
        entry("a/b"),
        entry("a\n"),
        entry("x" * 201),
        entry("\ud800"),
        entry("Other", width=0),
        entry("Other", width="1280"),
        entry("Other", width=True),
        entry("Other", width=None),
        entry("Other", height=-1),
        entry("Other", height=10**400),
        entry("Other", height=math.nan),
        entry("Other", width=0.4),
        entry("Other", width=1280.5),
        entry("Other", fps=0),
        entry("Other", fps=math.inf),
        entry("Other", durationInFrames=0),
        entry("Other", durationInFrames=1.5),
        entry("Other", durationInFrames=10**9),
        {"id": "Other"},
    ],
    ids=itertools.count(),
)
def test_an_entry_that_cannot_be_used_is_logged_and_left_out(caplog: pytest.LogCaptureFixture, other: object) -> None:
    assert read_one(other, entry()).id == "Promo"
    assert "ignored" in caplog.text


def test_ids_may_have_chinese_characters() -> None:
    assert read_one(entry("宣传-Video1")).id == "宣传-Video1"


def test_of_equal_ids_the_first_is_used(caplog: pytest.LogCaptureFixture) -> None:
    assert read_one(entry(width=1), entry(width=2)).width == 1
    assert "listed more than once" in caplog.text


def test_fractional_rates_are_kept() -> None:
    composition = read_one(entry(fps=29.97, width=1280.0, durationInFrames=60.0))
    assert (composition.fps, composition.width, composition.duration_in_frames) == (29.97, 1280, 60)


@pytest.mark.parametrize(
    "schema", [3, "x", [], True, {"maximum": math.inf, "a": "\ud800"}, {"description": "x" * 300_000}], ids=type
)
def test_a_schema_that_cannot_be_used_is_left_out(caplog: pytest.LogCaptureFixture, schema: object) -> None:
    composition = read_one(entry(), hidden(Promo={"schema": schema, "calculatesMetadata": True}))
    assert (composition.props_schema, composition.is_dynamic) == (None, True)
    assert composition.default_props == '{"title":"Hi"}'
    assert "the schema of Promo can't be used" in caplog.text


@pytest.mark.parametrize(
    "default_props", [3, [], "x", {"a": math.nan}, {"a": 2**60}, {"a": "x" * 300_000}, {"a": "\ud800"}], ids=type
)
def test_default_props_that_cannot_be_used_are_left_out_with_the_schema(
    caplog: pytest.LogCaptureFixture, default_props: object
) -> None:
    composition = read_one(entry(defaultProps=default_props), hidden(Promo={"schema": TEXT_SCHEMA}))
    assert (composition.default_props, composition.props_schema) == ("{}", None)
    assert "the default props of Promo can't be used" in caplog.text


def test_a_composition_without_default_props_keeps_its_schema() -> None:
    composition = read_one(entry(defaultProps=None), hidden(Promo={"schema": TEXT_SCHEMA}))
    assert (composition.default_props, json.loads(composition.props_schema or "")) == ("{}", TEXT_SCHEMA)


def test_values_that_are_too_deep_are_left_out() -> None:
    deep: dict[str, object] = {}
    for _ in range(2_000):
        deep = {"not": deep}
    assert read_one(entry(), hidden(Promo={"schema": deep})).props_schema is None
    assert read_one(entry(defaultProps=deep)).default_props == "{}"


@pytest.mark.parametrize("is_dynamic", [None, 1, "true", []])
def test_only_a_boolean_says_whether_metadata_are_calculated(is_dynamic: object) -> None:
    assert read_one(entry(), hidden(Promo={"calculatesMetadata": is_dynamic})).is_dynamic is None


@pytest.mark.parametrize("props", [None, [], {}, {"compositions": []}, {"compositions": {"Promo": 3, "Other": {}}}])
def test_a_hidden_composition_with_other_props_is_ignored(props: object) -> None:
    composition = read_one(entry(), entry(RENDERCAST_COMPOSITION_ID, props=props))
    assert (composition.id, composition.props_schema, composition.is_dynamic) == ("Promo", None, None)


def test_the_number_of_compositions_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    answer = [entry(f"c{number}") for number in range(MAX_COMPOSITIONS + 2)]
    assert len(read_compositions(answer, formats=ALL)) == MAX_COMPOSITIONS
    [record] = caplog.records
    assert record.message == "2 compositions are ignored: there are more than 1000"


def test_the_size_of_all_schemas_together_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    schema = {"description": "x" * 200_000}
    ids = [f"c{number}" for number in range(40)]
    answer = [*map(entry, ids), hidden(**{each: {"schema": schema} for each in ids})]
    compositions = read_compositions(answer, formats=ALL)
    kept = [each for each in compositions if each.props_schema]
    assert len(compositions) == len(ids)
    assert 0 < len(kept) * 200_000 <= remotion.MAX_JSON_BYTES < (len(kept) + 1) * 201_000
    assert "is left out" in caplog.text


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        values
        | st.fixed_dictionaries(
            {"id": st.sampled_from(["Promo", RENDERCAST_COMPOSITION_ID]) | values},
            optional={
                **dict.fromkeys(("width", "height", "fps", "durationInFrames"), st.just(5) | values),
                "defaultProps": values,
                "props": values | st.fixed_dictionaries({"compositions": st.fixed_dictionaries({"Promo": values})}),
            },
        ),
        max_size=4,
    )
)
def test_no_answer_makes_the_whole_catalog_fail(answer: list[object]) -> None:
    for composition in read_compositions(answer, formats=ALL):
        assert composition.width * composition.height * composition.fps * composition.duration_in_frames > 0
        assert isinstance(json.loads(composition.default_props), dict)
