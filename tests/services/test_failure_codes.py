"""Every code that a render can fail with is known and documented, and returns the unit of quota or keeps it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.failure_codes import FAILURE_CODES, returns_quota
from services.models import Failure, Render, RenderStatus, replace
from tests.conftest import MakeRender
from tests.services.renders.test_failure_messages import FAILURES
from tests.support.fake_clock import START_OF_TIME

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
FACTORIES = {"Failure", "Remedy", "_retryable", "_final"}  # their first argument is the code, if it isn't named


def created_codes() -> Iterator[tuple[str, str]]:
    """Return each constant that code under `services/` passes as the code of a failure, with its file."""
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                first = node.args[:1] if ast.unparse(node.func).rpartition(".")[2] in FACTORIES else []
                for argument in (*named, *first):
                    if isinstance(argument, ast.Constant) and CODE.fullmatch(str(argument.value)):
                        yield str(argument.value), str(path.relative_to(ROOT))


def test_every_code_that_is_created_is_in_the_table() -> None:
    created = set(created_codes())
    assert {"QUEUE_TIMEOUT", "RENDERER_CRASHED", "ACCESS_DENIED", "COMPOSITION_ERROR"} <= {code for code, _ in created}
    assert sorted(found for found in created if found[0] not in FAILURE_CODES) == []
    assert {failure.code for failure in FAILURES} <= set(FAILURE_CODES)


def test_every_code_in_the_table_is_documented_for_operators() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text()
    section = text.partition("## 6. What errors mean")[2].partition("### Retries")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([A-Z_]+)`", " ".join(rows))) == set(FAILURE_CODES)


def test_the_documentation_names_the_codes_that_keep_the_unit_of_quota() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text()
    (sentence,) = [part for part in text.split("\n\n") if part.startswith("The unit of quota of a failed render")]
    kept = {code for code, failure in FAILURE_CODES.items() if not failure.returns_quota}
    assert set(re.findall(r"`([A-Z_]+)`", sentence)) == kept


def ended(render: Render, status: RenderStatus, *, code: str | None = None, started: bool = True) -> Render:
    failure = None if code is None else Failure(code=code, message="It broke.", retryable=False)
    return replace(render, status=status, failure=failure, started_at=START_OF_TIME if started else None)


@pytest.mark.parametrize("code", [*FAILURE_CODES, "NEVER_SEEN"])
def test_a_failure_returns_the_unit_of_quota_as_the_table_says(make_render: MakeRender, code: str) -> None:
    failed = ended(make_render(), RenderStatus.FAILED, code=code)
    assert failed.returns_quota is returns_quota(code)
    assert ended(make_render(), RenderStatus.FAILED, code=code, started=False).returns_quota


def test_only_failures_that_the_user_could_have_avoided_keep_the_unit() -> None:
    assert {code for code in FAILURE_CODES if not returns_quota(code)} == {"COMPOSITION_ERROR", "INVALID_ANIMATION"}
    assert returns_quota("DURATION_EXCEEDED")
    assert returns_quota("FRAME_OUT_OF_RANGE")
    assert returns_quota("OUTPUT_TOO_LARGE")
    assert returns_quota("NEVER_SEEN")


@pytest.mark.parametrize("status", [RenderStatus.COMPLETE, RenderStatus.CANCELLED])
def test_other_ends_return_the_unit_only_without_an_attempt(make_render: MakeRender, status: RenderStatus) -> None:
    assert not ended(make_render(), status).returns_quota
    assert ended(make_render(), status, started=False).returns_quota


@pytest.mark.parametrize("status", [RenderStatus.QUEUED, RenderStatus.RENDERING])
def test_an_unfinished_render_keeps_its_unit(make_render: MakeRender, status: RenderStatus) -> None:
    assert not ended(make_render(), status, started=False).returns_quota
