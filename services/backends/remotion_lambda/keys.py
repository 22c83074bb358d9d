"""The keys of a render's objects: in the bucket of the outputs, and in Remotion's own bucket."""


def output_key(render_id: str, attempt: int, extension: str) -> str:
    """Return the key of an attempt's output. Each attempt has its own, so that a late attempt overwrites no output."""
    return f"{outputs_prefix(render_id)}{attempt}.{extension}"


def poster_key(render_id: str) -> str:
    """Return the key of the poster, which is the same for all attempts, since they have the same last frame."""
    return f"{outputs_prefix(render_id)}poster.jpg"


def outputs_prefix(render_id: str) -> str:
    """Return the key prefix of a render's outputs and poster."""
    return f"rendercast/{render_id}-"


def props_key(props_hash: str) -> str:
    """Return the key of uploaded props."""
    return f"input-props/{props_hash}.json"


def folder(render_id: str) -> str:
    """Return the key prefix of the objects that Remotion stores for a render, with the slash."""
    return f"renders/{render_id}/"


def progress_key(render_id: str) -> str:
    """Return the key of the progress file, which the function writes."""
    return f"{folder(render_id)}progress.json"


def cancel_key(render_id: str) -> str:
    """Return the key of the cancel request, which the function's renderers check every second."""
    return f"{folder(render_id)}cancel.json"
