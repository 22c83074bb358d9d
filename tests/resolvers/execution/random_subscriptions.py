"""Random valid subscriptions, and random renders whose states they are executed for."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from hypothesis import strategies as st

from resolvers.schema import build_schema
from services import models
from services.media import Media, OutputFormat, OutputOptions, ProResProfile
from services.models import Failure, Output, RenderPhase, RenderStatus, replace
from tests.conftest import PROPS

SCHEMA = build_schema()
CORE = SCHEMA.core_schema
TYPES = {"RenderChange", "Render", "RenderError", "RenderOutput", "AnimationProps"}
CONDITIONS = ("", "@include(if: true)", "@skip(if: true)", "@include(if: $yes)", "@skip(if: $no)", "@skip(if: $yes)")
DOWNLOADS = ("", "(download: true)", "(download: false)", "(download: $yes)", "(download: $no)")
ROOTS = (
    ("renderProgress(renderId: $id)", "$id: ID!, ", "Render"),
    ("renderUpdates", "", "Render"),
    ("renderChanges", "", "RenderChange"),
)
VARIABLES = {"id": "x", "yes": True, "no": False}


@dataclass
class Writer:
    """Writes random valid documents with Hypothesis's `draw`; `VARIABLES` are the values of their variables."""

    draw: Any
    fragments: list[str] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=itertools.count)

    def document(self) -> str:
        alias = self.draw(st.sampled_from(["", "watched: "]))
        root, variable, type_name = self.draw(st.sampled_from(ROOTS))
        selection = self.selection(type_name, depth=3)
        body = f"{alias}{root} {selection.replace('{', '{ both: __typename @include(if: $yes) @skip(if: $no) ', 1)}"
        if self.draw(st.booleans()):
            body = f"... on Subscription {{ {body} }}"
        text = f"subscription Watch({variable}$yes: Boolean!, $no: Boolean! = false) {{ {body} }}"
        return "\n".join([text, *self.fragments])

    def selection(self, type_name: str, *, depth: int) -> str:
        parts = [self.part(type_name, depth) for _ in range(self.draw(st.integers(1, 5)))]
        return "{ __typename " + " ".join(parts) + " }"

    def part(self, type_name: str, depth: int) -> str:
        kind = self.draw(st.sampled_from(["field"] * 6 + ["inline", "spread"] if depth else ["field"]))
        condition = self.draw(st.sampled_from(CONDITIONS))
        if kind == "field":
            return self.field(type_name, depth, condition)
        on = self.draw(st.sampled_from([type_name, "Node"] if type_name == "Render" else [type_name]))
        inner = self.selection(on, depth=depth - 1)
        if kind == "inline":
            return f"... {'on ' + on if on == 'Node' or self.draw(st.booleans()) else ''} {condition} {inner}"
        name = f"F{next(self.names)}"
        self.fragments.append(f"fragment {name} on {on} {inner}")
        return f"...{name} {condition}"

    def field(self, type_name: str, depth: int, condition: str) -> str:
        type_ = CORE.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        often = ["queuePosition"] * 3 if type_name == "Render" else []
        name = self.draw(st.sampled_from([*type_.fields, "__typename", *often]))
        if name == "outputUrl":
            return f"{self.output_url()} {condition}"
        alias = f"{self.draw(st.sampled_from('abc'))}_{name}: " if self.draw(st.booleans()) else ""
        inner = ""
        if name != "__typename" and get_named_type(type_.fields[name].type).name in TYPES:
            inner = self.selection(get_named_type(type_.fields[name].type).name, depth=max(0, depth - 1))
        return f"{alias}{name} {condition} {inner}"

    def output_url(self) -> str:
        """Return the field with a random argument. Fields with different arguments have different aliases."""
        number = self.draw(st.integers(0, len(DOWNLOADS) - 1))
        is_named = number > 0 or self.draw(st.booleans())
        alias = f"{self.draw(st.sampled_from('abc'))}{number}_outputUrl: " if is_named else ""
        return f"{alias}outputUrl{DOWNLOADS[number]}"


TEXTS = st.text(max_size=20) | st.sampled_from(['"\\\n\t', "\u2028é漢🎬", "\ud83c", "</script>"])
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
INTS = st.none() | st.integers(-2, 2**31)
ANIMATIONS = st.builds(
    replace, st.just(PROPS), text=TEXTS, background_color=st.none() | TEXTS, font_size=st.floats(), fps=st.just(30)
)
JSON_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps({"value": value}))
OPTIONS = st.builds(
    OutputOptions,
    format=st.sampled_from(OutputFormat),
    width=INTS,
    height=INTS,
    fps=st.none() | st.floats(),
    scale=st.none() | st.floats(),
    crf=INTS,
    bitrate_kbps=INTS,
    transparent=st.booleans(),
    muted=st.booleans(),
    prores_profile=st.none() | st.sampled_from(ProResProfile),
    every_nth_frame=INTS,
    loops=INTS,
    frame=INTS,
    quality=INTS,
)
MEDIA = st.builds(Media, frames=st.integers(0, 2**31), fps=st.floats(1, 120), width=INTS, height=INTS)
INPUTS = st.tuples(ANIMATIONS, st.none()) | st.tuples(st.none(), st.none() | JSON_OBJECTS)
RENDERS = st.builds(
    lambda given, **values: models.Render(props=given[0], input_props=given[1], **values),
    given=INPUTS,
    id=TEXTS,
    owner=TEXTS,
    composition_id=TEXTS,
    output_options=OPTIONS,
    media=st.none() | MEDIA,
    created_at=TIMES,
    revision=st.integers(0, 2**33),
    status=st.sampled_from(RenderStatus),
    phase=st.none() | st.sampled_from(RenderPhase),
    progress=st.integers(0, 100),
    frames_rendered=st.integers(0, 600),
    estimated_completion_at=st.none() | TIMES,
    generation_id=st.none() | TEXTS,
    attempt=st.integers(0, 9),
    cancel_requested=st.booleans(),
    backend_render_id=st.none() | TEXTS,
    warnings=st.lists(TEXTS, max_size=3).map(tuple),
    failure=st.none() | st.builds(Failure, code=TEXTS, message=TEXTS, retryable=st.booleans()),
    output=st.none() | st.builds(Output, bucket=TEXTS, key=TEXTS, size_bytes=st.integers(0, 2**60)),
    cost_usd=st.none() | st.floats(),
    started_at=st.none() | TIMES,
    completed_at=st.none() | TIMES,
)
