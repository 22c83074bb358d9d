"""JSON Pointers (RFC 6901) to values in a client's input."""

_MAX_TOKEN = 100  # characters: a key of any length is in the error message's path


def child(path: str, key: object) -> str:
    """Return the pointer to a member of the object or list at `path`.

    Keys that are too long or not valid Unicode are shortened and replaced: the pointer is for people then.
    """
    token = str(key)
    if len(token) > _MAX_TOKEN:
        token = f"{token[:_MAX_TOKEN]}…"
    return f"{path}/{escape(token.encode(errors='replace').decode())}"


def escape(token: str) -> str:
    """Return the token as it is written in a pointer."""
    return token.replace("~", "~0").replace("/", "~1")
