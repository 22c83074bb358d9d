"""The generated module for Python."""

import ast
import re
import shlex
import sys
from types import ModuleType
from typing import Any, get_type_hints, is_typeddict

import pytest
from rendercast.client import Composition

from commands.client.errors import CommandError
from commands.codegen.python import generate_python
from commands.codegen.schemas import Document, Source, combine
from tests.codegen.hostile import KEYS, hostile

MODULES = {"__future__", "collections.abc", "typing", "rendercast.client"}
CALLED = {"TypedDict", "Composition"}


@pytest.fixture(scope="module")
def content() -> str:
    """The module for hostile compositions."""
    return generate_python(combine(hostile()))


@pytest.fixture(scope="module")
def tree(content: str) -> ast.Module:
    return ast.parse(content)


def test_only_definitions_are_in_the_module(tree: ast.Module) -> None:
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(module=module):
                assert module in MODULES
            case ast.ClassDef(bases=bases, body=body, decorator_list=[], keywords=[]):
                assert all(isinstance(each, ast.Name) for each in bases)
                assert all(isinstance(each, ast.Pass | ast.Expr | ast.AnnAssign) for each in body)
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypedDict"))) | ast.AnnAssign():
                pass
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case _:
                raise AssertionError(ast.unparse(statement))


def test_nothing_is_called_but_what_defines_types(tree: ast.Module) -> None:
    allowed = ast.Name | ast.Constant | ast.Subscript | ast.Tuple | ast.List | ast.BinOp | ast.Dict
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=function):
                assert ast.unparse(function) in CALLED
            case ast.Expr(value=value):
                assert isinstance(value, ast.Constant)
                assert isinstance(value.value, str)
            case ast.Attribute() | ast.Lambda() | ast.JoinedStr() | ast.NamedExpr() | ast.FunctionDef():
                raise AssertionError(ast.unparse(node))
            case ast.AnnAssign(value=value):
                assert value is None or isinstance(value, allowed | ast.Call)


@pytest.fixture(scope="module")
def types(content: str) -> dict[str, Any]:
    """The names of the module."""
    module = ModuleType("generated")
    exec(compile(content, module.__name__, "exec"), module.__dict__)  # noqa: S102  # the test above has looked at it
    return module.__dict__


def test_types_have_the_keys_of_their_schemas(types: dict[str, Any]) -> None:
    found = {
        key: set(get_type_hints(type_)) if is_typeddict(type_ := types[f"Key{number}Props"]) else type_
        for number, key in enumerate(KEYS)
    }
    any_object = types["KeysProps"]
    assert any_object == dict[str, Any]
    changed = {"", "__typename", "__class__", "__slots__", "__proto__", "e\u0301", "ﬁ", "ª"}
    assert found == {key: any_object if key in changed else {key} for key in KEYS}


def test_each_composition_has_a_constant(types: dict[str, Any]) -> None:
    constants = {name: value for name, value in types.items() if isinstance(value, Composition)}
    assert {each.id for each in constants.values()} == {each.id for each in hostile() if each.id.isprintable()}
    assert constants["KEY_1"].id == "key-1"
    assert constants["COMPOSITION"].id == "Composition"
    assert constants["NONE"].id == "None"


def test_types_for_no_types_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datamodel_code_generator", None)
    content = generate_python(combine([Source(id="my-video", schema=None)]))
    assert content.endswith('\n\n\nMY_VIDEO: Composition[Mapping[str, Any]] = Composition("my-video")\n')
    ast.parse(content)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datamodel_code_generator", None)
    command = f"{shlex.quote(sys.executable)} -m pip install datamodel-code-generator"
    with pytest.raises(CommandError, match=rf" {re.escape(command)}$"):
        generate_python(combine([Source(id="A", schema={"type": "object"})]))


def test_a_failure_of_the_package_is_reported() -> None:
    part = {"type": "object", "properties": {"x": {}}, "required": [], "additionalProperties": False}
    cycle = {each: {"allOf": [{"$ref": f"#/$defs/{other}"}, part]} for each, other in ("AB", "BA")}
    with pytest.raises(CommandError, match=r"^datamodel-code-generator failed: Error: .* cycle"):
        generate_python(Document(definitions=cycle, compositions={"a": "A"}))


def test_the_content_is_the_same_each_time(content: str) -> None:
    assert generate_python(combine(hostile()[::-1])) == content
