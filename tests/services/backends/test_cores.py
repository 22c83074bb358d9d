import os
from pathlib import Path

import pytest

from services.backends.cores import available_cores

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("100000 100000\n", 1),
        ("20000 100000\n", 1),
        (f"{CORES * 100000} 100000\n", CORES),
        (f"{CORES * 200000} 100000\n", CORES),
        ("max 100000\n", CORES),
        ("", CORES),
    ],
)
def test_a_container_has_as_many_cores_as_its_limit(tmp_path: Path, limit: str, cores: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit)
    assert available_cores(file) == cores


def test_without_a_container_all_cores_are_available(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "missing") == CORES
