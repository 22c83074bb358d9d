import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from commands.doctor.checks import diagnose
from commands.doctor.role import Role


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, without settings."""
    for name in os.environ:
        if name.startswith(("RENDERCAST_", "MONGODB_", "REDIS_", "REMOTION_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


async def found(role: Role | None = None) -> Mapping[str, str]:
    """Return the results by check, with the sentence if it is WRONG."""
    findings = await diagnose(role)
    results: dict[str, str] = {}
    for finding in findings:
        words = f"{finding.result} {finding.sentence}" if finding.result == "WRONG" else str(finding.result)
        results[finding.check] = f"{results[finding.check]}\n{words}" if finding.check in results else words
    return results
