"""`rendercast migrate`: exit codes and output, as a job before a rollout sees them."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import cli
from commands.server.interruption import run_interruptibly
from services.errors import StartupError
from services.stores.mongo_indexes import INDEXES
from tests.support.mongo_server import connect_to_mongo

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def migrate(**environment: str) -> Result:
    return CliRunner().invoke(cli, ["migrate"], env=environment)


def index_names(url: str) -> Mapping[str, set[str]]:
    with connect_to_mongo(url) as client:
        database = client.get_default_database()
        return {name: set(database[name].index_information()) for name in INDEXES}


def test_it_builds_the_indexes_of_a_new_database_and_can_be_repeated(mongo_url: str) -> None:
    first = migrate(MONGODB_URL=mongo_url, RENDERCAST_RETENTION_DAYS="30")
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1].startswith("All indexes of the database test-")
    built = index_names(mongo_url)
    assert built["renders"] == {"_id_", "ended_long_ago", *(model.document["name"] for model in INDEXES["renders"])}
    again = migrate(MONGODB_URL=mongo_url, RENDERCAST_RETENTION_DAYS="30")
    assert (again.exit_code, len(again.stdout.splitlines())) == (0, 1)
    assert index_names(mongo_url) == built


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "MONGODB_URL is not set"),
        ("mongodb://x/?retryWrite=false", "retryWrite is not an option"),
        ("mongodb://ann:hunter2@x/admin", "authSource=admin"),
    ],
)
def test_it_fails_with_one_sentence(url: str, words: str) -> None:
    result = migrate(MONGODB_URL=url)
    assert result.exit_code == 1
    assert isinstance(result.exception, StartupError)  # `main` prints it without a traceback
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_a_command_with_its_message_after_it_has_cleaned_up(number: signal.Signals) -> None:
    steps: list[str] = []

    async def work() -> None:
        steps.append("started")
        signal.raise_signal(number)
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    with pytest.raises(StartupError, match="Run it again"):
        run_interruptibly(work(), message="Run it again.")
    assert steps == ["started", "cleaned up"]
