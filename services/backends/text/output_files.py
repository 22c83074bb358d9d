"""The files of the text backend: an output and its poster for each finished render, in one folder."""

from dataclasses import dataclass
from pathlib import Path

from services.errors import BackendUnavailable
from services.media import FORMATS, OutputKind
from services.models import Output, Render

BUCKET = "local"
POSTER_SUFFIX = ".jpg"  # no format has this extension


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The files in a folder. All methods but the first three raise `BackendUnavailable` if it can't be used."""

    folder: Path

    def output(self, render: Render) -> Path:
        """Return the path of a render's output."""
        return self.folder / f"{render.id}.{FORMATS[render.output_options.format].extension}"

    def poster(self, render: Render) -> Path | None:
        """Return the path of a render's poster; None for stills, which are shown themselves."""
        is_still = FORMATS[render.output_options.format].kind is OutputKind.STILL
        return None if is_still else self.folder / f"{render.id}{POSTER_SUFFIX}"

    def find(self, name: str) -> Path | None:
        """Return the path of an existing file."""
        path = self.folder / name
        return path if path.is_file() else None

    def exists(self, name: str) -> bool:
        """Return whether a file exists."""
        return self._size_bytes(self.folder / name) is not None

    def stored(self, render: Render) -> Output | None:
        """Return the location of a finished render's output; None if there is none."""
        path, poster = self.output(render), self.poster(render)
        size_bytes = self._size_bytes(path)
        if size_bytes is None:
            return None
        has_poster = poster is not None and poster.is_file()
        poster_key = poster.name if poster is not None and has_poster else None
        return Output(bucket=BUCKET, key=path.name, size_bytes=size_bytes, poster_key=poster_key)

    def delete(self, render: Render) -> None:
        """Remove the files of a render. Idempotent."""
        try:
            for path in (self.poster(render), self.output(render)):
                if path is not None:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise BackendUnavailable(f"the output of {render.id} can't be removed: {error}") from error

    def _size_bytes(self, path: Path) -> int | None:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendUnavailable(f"{path.name} can't be read: {error}") from error
