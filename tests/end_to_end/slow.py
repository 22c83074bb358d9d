"""Renderers that are slow until a test needs their videos, so that a render lasts and its drawing costs little."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "support" / "slow_renderers"


class SlowRenderers:
    """Processes started with these settings have slow renderers while `file` exists."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "renderers are slow"
        self.settings = {"PYTHONPATH": FOLDER, "SLOW_WHILE_EXISTS": self._file}

    def slow_down(self) -> None:
        """Make all renderers slow: 600 frames of 320 by 180 pixels take ten seconds or more."""
        self._file.touch()

    def speed_up(self) -> None:
        """Let all renderers run at full speed, those that run now too."""
        self._file.unlink(missing_ok=True)
