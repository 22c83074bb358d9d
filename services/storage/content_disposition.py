"""The header Content-Disposition of outputs."""


def content_disposition(file_name: str, *, as_attachment: bool) -> str:
    """Return the header with which browsers save a file under a name, or show it.

    The name has only the characters that `RenderBackend.sign` permits, which need no escaping.
    """
    return f'{"attachment" if as_attachment else "inline"}; filename="{file_name}"'
