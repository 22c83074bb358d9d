"""The header Content-Disposition of outputs."""


def content_disposition(file_name: str, *, saves: bool) -> str:
    """Return the header with which browsers save a file under a name, or show it.

    The name has only the characters that `RenderBackend.sign` permits, which need no escaping.
    """
    return f'{"attachment" if saves else "inline"}; filename="{file_name}"'
