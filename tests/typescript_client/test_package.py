"""The npm package @rendercast/client: what it contains, its size, its types, and its GraphQL documents."""

import gzip
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    parse,
    validate,
)

from services.settings import CHECKOUT
from tests.typescript_client.package import NEEDS_NODE, NODE, PACKAGE, run

pytestmark = [pytest.mark.slow, NEEDS_NODE]

MAX_BYTES = 6000
SCALARS = {"Int": "number", "Float": "number", "BigInt": "number", "Boolean": "boolean", "JSON": "unknown"}
INTERFACE = re.compile(r"export interface (\w+) \{\n(.*?)\n\}", re.DOTALL)
FIELD = re.compile(r"^  readonly (\w+)(\??): (.+?)(?: \| undefined)?;$", re.MULTILINE)
UNION = re.compile(r"export type (\w+) =([^;]+);")
CLASS = re.compile(r"export class (\w+) extends \w+ \{(.*?)\}", re.DOTALL)
OF_THE_CLIENT = {"RendercastError", "ServerUnreachable", "Unauthenticated"}
ALIASES = {"downloadUrl": "outputUrl"}
TYPES_TEST = """
import { createClient, InvalidInput, RenderQuotaExceeded, type Render, type StartInput } from "../client/dist/index.js";

const client = createClient({ url: "http://127.0.0.1:8000", token: async () => null });
export const render: Promise<Render> = client.start({ text: "Hello", style: "SCALE", output: { gif: { width: 320 } } });
void client.start({ composition: "Anything", props: { any: 1 } });
void client.start({ composition: "Anything" });
for await (const { progress, outputUrl } of client.watch("id")) console.log(progress + 1, outputUrl?.length);
export function retryAfter(error: unknown): number {
  if (error instanceof InvalidInput) console.log(error.problems.map(({ path, message }) => path + message));
  return error instanceof RenderQuotaExceeded ? error.retryAfterSeconds : 0;
}
// @ts-expect-error there is no such style
void client.start({ text: "Hello", style: "JUMP" });
// @ts-expect-error either a text or a composition
void client.start({ text: "Hello", composition: "Promo", props: {} });
// @ts-expect-error exactly one kind of output
void client.start({ text: "Hello", output: {} });
// @ts-expect-error the text is missing
export const input: StartInput = { color: "red" };
"""
AUGMENTED_TEST = """
import { createClient, type StartInput } from "../client/dist/index.js";

declare module "../client/dist/index.js" {
  interface CompositionProps {
    Promo: { title: string; scenes?: number };
    Plain: { note?: string };
  }
}
const client = createClient({ url: "http://127.0.0.1:8000" });
void client.start({ composition: "Promo", props: { title: "Hello" }, output: { video: { format: "VP9" } } });
void client.start({ composition: "Plain" });
void client.start({ text: "Hello" });
export const input: StartInput = { composition: "Plain", props: { note: "x" } };
// @ts-expect-error an unknown composition
void client.start({ composition: "Other", props: {} });
// @ts-expect-error the props are missing
void client.start({ composition: "Promo" });
// @ts-expect-error a property is missing
void client.start({ composition: "Promo", props: {} });
// @ts-expect-error a property of another type
void client.start({ composition: "Promo", props: { title: 1 } });
// @ts-expect-error an unknown property
void client.start({ composition: "Promo", props: { title: "Hello", titel: "x" } });
"""


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((CHECKOUT / "schema" / "schema.graphql").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def types() -> str:
    """The source of the types, without comments."""
    text = (PACKAGE / "src" / "types.ts").read_text(encoding="utf-8")
    return re.sub(r"^ *(//|/\*\*).*\n", "", text, flags=re.MULTILINE)


def test_it_has_no_dependencies_and_is_smaller_than_6_kb(package: Path, tmp_path: Path) -> None:
    manifest = json.loads((package / "package.json").read_text(encoding="utf-8"))
    assert not manifest.keys() & {"dependencies", "peerDependencies", "optionalDependencies"}
    run("esbuild", package / "dist" / "index.js", "--bundle", "--minify", "--format=esm", "--target=es2022",
        "--log-level=error", f"--outfile={tmp_path / 'client.js'}", cwd=tmp_path)  # fmt: skip
    bundle = (tmp_path / "client.js").read_bytes()
    assert b"import" not in bundle
    assert len(gzip.compress(bundle, 9)) < MAX_BYTES


def test_publint_and_attw_find_nothing_in_the_published_files(package: Path, tmp_path: Path) -> None:
    assert "All good!" in run("publint", package, cwd=package)
    run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", tmp_path, cwd=package)
    [archive] = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as packed:
        files = {name.removeprefix("package/") for name in packed.getnames()}
    assert {"LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"} <= files
    assert all(name.startswith("dist/") or "/" not in name for name in files)
    run("attw", archive, "--profile=esm-only", cwd=package)


@pytest.mark.parametrize("source", [TYPES_TEST, AUGMENTED_TEST])
def test_wrong_inputs_do_not_compile(package: Path, tmp_path: Path, source: str) -> None:
    shutil.copytree(package / "dist", tmp_path / "client" / "dist")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "page.ts").write_text(source, encoding="utf-8")
    options = "--strict --noEmit --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom"
    run("tsc", *options.split(), "test/page.ts", cwd=tmp_path)


def test_all_documents_are_valid(package: Path, schema: GraphQLSchema) -> None:
    script = (
        f"import * as all from {json.dumps(str(package / 'dist' / 'documents.js'))}; console.log(JSON.stringify(all))"
    )
    documents: dict[str, str] = json.loads(run(NODE, "--input-type=module", "--eval", script, cwd=package))
    assert len(documents) > 10
    assert {name: errors for name, text in documents.items() if (errors := validate(schema, parse(text)))} == {}


def test_each_user_error_of_the_schema_is_a_class_with_its_fields(schema: GraphQLSchema) -> None:
    source = (PACKAGE / "src" / "errors.ts").read_text(encoding="utf-8")
    classes = {name: set(re.findall(r"readonly (\w+)\??:", body)) for name, body in CLASS.findall(source)}
    interface = schema.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    errors = {each.name: each.fields.keys() - {"message"} for each in schema.get_possible_types(interface)}
    del errors["RenderTokensNotConfigured"]  # of `renderToken`, which the client does not use
    assert {name: fields for name, fields in classes.items() if name not in OF_THE_CLIENT} == errors
    exported = (PACKAGE / "src" / "index.ts").read_text(encoding="utf-8")
    assert all(f"  {name},\n" in exported for name in {*errors, *OF_THE_CLIENT})
    mapped = source.partition("const USER_ERRORS")[2].partition("};")[0]
    assert set(re.findall(r"^  (\w+),$", mapped, re.MULTILINE)) == errors.keys()


def test_the_types_are_those_of_the_schema(schema: GraphQLSchema, types: str) -> None:
    interfaces = INTERFACE.findall(types)
    assert len(interfaces) > 10
    for name, body in interfaces:
        fields = FIELD.findall(body)
        assert fields, name
        kind: Any = schema.type_map[name]
        for field, optional, written in fields:
            definition = kind.fields[ALIASES.get(field, field)]
            if isinstance(kind, GraphQLInputObjectType):
                is_required = isinstance(definition.type, GraphQLNonNull) and definition.ast_node.default_value is None
                assert bool(optional) != is_required, (name, field)
                assert written == _not_null(_nullable(definition.type)), (name, field)
            else:
                assert written == _typescript(definition.type).replace("unknown | null", "unknown"), (name, field)
        if isinstance(kind, GraphQLInputObjectType):
            assert {field for field, _, _ in fields} == kind.fields.keys(), name


def test_the_enums_are_those_of_the_schema(schema: GraphQLSchema, types: str) -> None:
    unions = {name: set(re.findall(r'"(\w+)"', values)) for name, values in UNION.findall(types)}
    unions["OutputFormat"] |= unions["VideoFormat"] | unions["AudioFormat"] | unions["StillFormat"]
    for name, values in unions.items():
        kind = schema.type_map[name]
        if isinstance(kind, GraphQLEnumType):
            assert values == kind.values.keys(), name
    written = types.partition("OutputInput =")[2].partition(";")[0]
    output = schema.type_map["OutputInput"]
    assert isinstance(output, GraphQLInputObjectType)
    assert dict(re.findall(r"readonly (\w+): (\w+)", written)) == {
        name: _nullable(field.type).name for name, field in output.fields.items()
    }


def _nullable(kind: Any) -> Any:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def _typescript(kind: Any) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _not_null(kind.of_type)
    return f"{_not_null(kind)} | null"


def _not_null(kind: Any) -> str:
    if isinstance(kind, GraphQLList):
        return f"readonly {_not_null(_nullable(kind.of_type))}[]"
    if isinstance(kind, GraphQLScalarType):
        return SCALARS.get(kind.name, "string")
    assert isinstance(kind, GraphQLObjectType | GraphQLEnumType | GraphQLInputObjectType)
    return kind.name
