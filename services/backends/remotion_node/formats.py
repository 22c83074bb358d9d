"""The formats of the renderer `node`."""

from services.media import OutputFormat

NODE_FORMATS = frozenset(OutputFormat)
