"""The formats that the text renderer can make."""

from typing import Final

from services.media import OutputFormat, OutputKind, formats_of

# A text animation has no sound, and PyAV can't make PDF files.
TEXT_FORMATS: Final = formats_of(OutputKind.VIDEO, OutputKind.GIF, OutputKind.STILL) - {OutputFormat.PDF}
