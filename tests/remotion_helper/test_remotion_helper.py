"""The helper in a bundled Remotion project, as Remotion's own renderer discovers it in Debian's Chromium.

The project is bundled with the newest versions of Remotion and zod and the npm package, with the oldest versions, zod 3
and the helper as a copied file, and with Remotion's Studio. `pytestmark` names what the tests need.
"""

import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.async_api import expect

from services.settings import CHECKOUT
from tests.browser.visitors import CHROMIUM, TIMEOUT_MS, open_browser
from tests.remotion_helper.projects import (
    HELPER,
    NODE,
    OLDEST,
    PACKAGES,
    PROJECT,
    SOURCE,
    Discovery,
    Json,
    check_types,
    discover,
    pack,
    project_with_copy,
    project_with_package,
    served_bundle,
)
from tests.support.node_renderer import bundle_project, shared_project

pytestmark = pytest.mark.skipif(
    not {"NODE", "CHROMIUM"} <= os.environ.keys()
    and not (NODE and CHROMIUM and all(folder.exists() for folder in PACKAGES)),
    reason="needs Node (NODE= or `node` on the path), Chromium (CHROMIUM= or `chromium` on the path), and "
    "node_modules in clients/remotion, tests/remotion_helper/project and tests/remotion_helper/oldest "
    "(`npm ci --prefix` each folder)",
)

RECORDED = json.loads((CHECKOUT / "tests" / "data" / "remotion-compositions.json").read_text(encoding="utf-8"))
[EXPECTED] = [item["props"]["compositions"] for item in RECORDED["with_helper"] if item["id"] == "rendercast"]
IDS = ["Promo", "Card", "Plain", "Event"]
EVENT_SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome"  # Remotion shows no Studio to a headless browser
DRAFT = "https://json-schema.org/draft/2020-12/schema"
WITHOUT_SCHEMA = 'Rendercast: the composition "{}" has no JSON Schema: {}'
NO_JSON = "{} cannot be represented in JSON Schema"
COMMON_ROOTS = ("helper", "strict", "lazy", "late", "ownRendercast", "unusual", "withoutOptions", "explicit")
NEWEST_ROOTS = (
    *COMMON_ROOTS,
    *("plain", "schemaless", "twice", "twicePlain", "withoutInternals", "explicitWithoutInternals"),
    *("zod41", "zod41WithoutOptions"),
)

Discoveries = Mapping[str, Discovery]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newest")


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    """The npm package."""
    return pack(folder)


@pytest.fixture(scope="module")
def newest_project(folder: Path, archive: Path) -> Path:
    return project_with_package(folder, archive=archive)


@pytest.fixture(scope="module")
def oldest_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project_with_copy(tmp_path_factory.mktemp("oldest"))


@pytest.fixture(scope="module")
def stills(folder: Path) -> Mapping[str, Path]:
    """Files for the composition Card, rendered without and with the helper."""
    return {root: folder / f"{root}.png" for root in ("plain", "helper")}


@pytest.fixture(scope="module")
def newest(newest_project: Path, stills: Mapping[str, Path]) -> Discoveries:
    return discover(newest_project, entry="src/index.ts", roots=NEWEST_ROOTS, stills=stills)


@pytest.fixture(scope="module")
def oldest(oldest_project: Path) -> Discoveries:
    return discover(oldest_project, entry="src/index-zod3.ts", roots=COMMON_ROOTS, stills={})


@pytest.fixture(params=["newest", "oldest"])
def versions(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def discoveries(versions: str, request: pytest.FixtureRequest) -> Discoveries:
    found: Discoveries = request.getfixturevalue(versions)
    return found


@pytest.fixture
def rejected(versions: str) -> Callable[[str, str], str]:
    """The warning about a composition with a type that has no JSON form."""
    prefix = {"newest": "", "oldest": "Zod"}[versions]
    return lambda name, kind: WITHOUT_SCHEMA.format(name, NO_JSON.format(prefix + kind))


def test_the_recorded_compositions_are_those_of_the_newest_versions(newest: Discoveries) -> None:
    assert newest["plain"].compositions == RECORDED["without_helper"]
    assert newest["helper"].compositions == RECORDED["with_helper"]


@pytest.mark.parametrize("root", ["helper", "strict", "lazy", "late"])
def test_the_schemas_are_published(discoveries: Discoveries, root: str, rejected: Callable[[str, str], str]) -> None:
    found = discoveries[root]
    assert found.ids == IDS
    assert found.catalog == EXPECTED
    assert found.warnings == [rejected("Event", "Date")]


def test_a_project_without_schemas_has_a_catalog(newest: Discoveries) -> None:
    assert newest["schemaless"].catalog == {"Plain": {"schema": None, "calculatesMetadata": False}}
    assert newest["schemaless"].warnings == []


def test_a_schema_without_json_form_does_not_affect_the_others(
    discoveries: Discoveries, rejected: Callable[[str, str], str]
) -> None:
    found = discoveries["unusual"]
    assert [name for name, schema in found.schemas.items() if schema is None] == ["AMap", "ABigint", "NoDate"]
    assert [warning for warning in found.warnings if warning.startswith("Rendercast")] == [
        rejected("AMap", "Map"),
        rejected("ABigint", "BigInt"),
        rejected("NoDate", "Date"),
    ]


def test_tuples_and_the_input_of_transforms_are_of_draft_2020_12(discoveries: Discoveries) -> None:
    schemas = discoveries["unusual"].schemas
    assert schemas["ATransform"] == object_schema(seconds={"type": "string"})
    assert schemas["ATuple"] == object_schema(
        point={
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "string"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
        rest={"type": "array", "prefixItems": [{"type": "number"}], "items": {"type": "boolean"}, "minItems": 1},
    )


def object_schema(**properties: Json) -> Json:
    return {"$schema": DRAFT, "type": "object", "properties": properties, "required": list(properties)}


def test_a_recursive_schema_is_published_by_zod_4_and_cut_off_by_zod_3(
    newest: Discoveries, oldest: Discoveries
) -> None:
    tree = newest["unusual"].schemas["ATree"]
    [(name, definition)] = tree["$defs"].items()
    reference = {"$ref": f"#/$defs/{name}"}
    assert tree["properties"] == {"tree": reference}
    assert definition["properties"]["children"] == {"type": "array", "items": reference}
    tree = oldest["unusual"].schemas["ATree"]["properties"]["tree"]
    assert tree["properties"]["children"] == {"type": "array", "items": {}}


def test_schemas_of_zod_4_1_are_converted_by_the_option(newest: Discoveries) -> None:
    found = newest["zod41"]
    title = {"type": "string", "minLength": 1, "maxLength": 60}
    layout = {"default": "left", "type": "string", "enum": ["left", "right"]}
    expected = object_schema(title=title, layout=layout) | {"required": ["title"]}
    assert found.schemas == {"Title": expected, "Date": None}
    assert found.warnings == [WITHOUT_SCHEMA.format("Date", NO_JSON.format("Date"))]


def test_a_version_of_zod_that_needs_the_option_is_reported_without_it(
    newest: Discoveries, oldest: Discoveries
) -> None:
    found = newest["zod41WithoutOptions"]
    reason = 'pass the option "toJsonSchema": z.toJSONSchema of zod 4.0 or 4.1.'
    assert found.schemas == {"Title": None, "Date": None}
    assert found.warnings == [WITHOUT_SCHEMA.format(name, reason) for name in ("Title", "Date")]
    found = oldest["withoutOptions"]
    reason = 'pass the option "toJsonSchema": zodToJsonSchema of the package zod-to-json-schema.'
    assert found.schemas == dict.fromkeys(IDS)
    assert found.catalog["Promo"]["calculatesMetadata"] is True
    assert found.warnings == [WITHOUT_SCHEMA.format(name, reason) for name in ("Promo", "Card", "Event")]
    assert newest["withoutOptions"].catalog == EXPECTED


def test_given_schemas_replace_those_of_the_compositions(discoveries: Discoveries) -> None:
    found = discoveries["explicit"]
    event = EXPECTED["Event"] | {"schema": EVENT_SCHEMA}
    assert found.catalog == EXPECTED | {"Event": event}
    assert found.warnings == [
        'Rendercast: the option "schemas" names "Nope", which is not a composition.',
        WITHOUT_SCHEMA.format("Plain", "Do not know how to serialize a BigInt"),
    ]


def test_given_schemas_need_no_internals(newest: Discoveries) -> None:
    found = newest["explicitWithoutInternals"]
    assert found.catalog == {
        "Promo": {"schema": EXPECTED["Promo"]["schema"], "calculatesMetadata": None},
        "Event": {"schema": EVENT_SCHEMA, "calculatesMetadata": None},
    }
    assert found.warnings == []


def test_missing_internals_are_reported_and_nothing_fails(newest: Discoveries) -> None:
    found = newest["withoutInternals"]
    assert found.ids == IDS
    assert found.catalog == {}
    assert found.warnings == [
        'Rendercast: this version of Remotion does not list its compositions. Pass the option "schemas".'
    ]


def test_a_composition_registered_twice_is_the_same_error_as_without_the_helper(newest: Discoveries) -> None:
    assert newest["twicePlain"].error == "Multiple composition with id Plain are registered."
    assert newest["twice"] == newest["twicePlain"]


def test_a_composition_of_the_project_with_the_hidden_id_stays(discoveries: Discoveries) -> None:
    found = discoveries["ownRendercast"]
    assert found.compositions is not None
    assert [(item["id"], item["width"]) for item in found.compositions] == [("rendercast", 640), ("Plain", 640)]
    assert found.compositions[0]["props"] == {}
    assert found.warnings == [
        'Rendercast: the project has a composition "rendercast". Rename it: Rendercast cannot read any schema now.'
    ]


@pytest.mark.usefixtures("newest")
def test_a_composition_is_rendered_as_without_the_helper(stills: Mapping[str, Path]) -> None:
    rendered = stills["helper"].read_bytes()
    assert rendered.startswith(b"\x89PNG")
    assert rendered == stills["plain"].read_bytes()


async def test_remotion_studio_does_not_show_the_hidden_composition(tmp_path: Path) -> None:
    with shared_project() as project:
        bundle = bundle_project(project, tmp_path / "bundle", studio=True)
    with served_bundle(bundle) as url:
        async with open_browser() as browser:
            page = await browser.new_page(user_agent=USER_AGENT)
            await page.goto(url, timeout=TIMEOUT_MS)
            await expect(page.get_by_text("Event", exact=True)).to_be_visible(timeout=TIMEOUT_MS)
            await expect(page.get_by_text("rendercast")).to_have_count(0)


def test_the_package_contains_the_source_its_types_and_no_dependency(archive: Path) -> None:
    with tarfile.open(archive) as package:
        names = {name.removeprefix("package/") for name in package.getnames()}
    assert names == {
        "LICENSE",
        "README.md",
        "dist/rendercast.d.ts",
        "dist/rendercast.js",
        "package.json",
        "src/rendercast.ts",
    }
    manifest = json.loads((HELPER / "package.json").read_text(encoding="utf-8"))
    assert "dependencies" not in manifest
    # Projects of `create-video` have `module: commonjs`: their compiler ignores `exports`.
    assert manifest["exports"]["."] == {"types": manifest["types"], "default": manifest["main"]}
    assert (HELPER / "LICENSE").read_bytes() == (CHECKOUT / "LICENSE").read_bytes()


def test_the_source_imports_react_and_remotion_only() -> None:
    imported = re.findall(r'^import .* from "(.*)";$', SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(imported) == {"react", "remotion"}


def test_the_documents_name_the_tested_versions() -> None:
    oldest, newest = (
        json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]["remotion"]
        for folder in (OLDEST, PROJECT)
    )
    manifest = json.loads((HELPER / "package.json").read_text(encoding="utf-8"))
    assert manifest["peerDependencies"]["remotion"] == f"^{oldest}"
    for path in (SOURCE, HELPER / "README.md"):
        assert f"Remotion {oldest} and {newest}" in " ".join(path.read_text(encoding="utf-8").split()), path


@pytest.mark.parametrize("project", ["newest_project", "oldest_project"])
def test_the_types_fit_the_project(project: str, request: pytest.FixtureRequest) -> None:
    check_types(request.getfixturevalue(project))
