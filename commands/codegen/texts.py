"""Texts of schemas that the generated files may contain."""

_WIDGET = "__remotion-"  # zColor(), zTextarea() and the like describe themselves so, for Remotion's own forms


def is_plain(text: object) -> bool:
    """Return whether the value is a text without control characters, invisible ones and lone surrogates."""
    return isinstance(text, str) and text.isprintable()


def comment(description: object) -> str:
    """Return the lines of a description that a comment can contain; empty if there is none for readers."""
    if not isinstance(description, str) or description.startswith(_WIDGET):
        return ""
    lines = (
        "".join(char if char.isprintable() else " " for char in line).rstrip() for line in description.splitlines()
    )
    return "\n".join(lines).strip().replace("*/", "* /").replace('"""', "'''")
