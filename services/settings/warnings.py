"""Warnings about settings that do not prevent the start."""

import difflib
import os
from collections.abc import Iterator

from services.settings.base import PREFIX
from services.settings.environment import given_names
from services.settings.groups import Settings, accepted_variables
from services.settings.server import ServerSettings
from services.settings.service_variables import is_service_variable, service_warning

CLIENT_VARIABLES = {"RENDERCAST_URL", "RENDERCAST_TOKEN"}
REMOTION_PREFIX = "REMOTION_"  # other programs have variables with this prefix too
MIN_SIMILARITY = 0.85


def setting_warnings(settings: Settings, *, serves: bool) -> Iterator[str]:
    """Yield a sentence for each value that is probably not meant. With `serves`, other machines are clients."""
    if warning := service_warning(os.environ, accepted_variables()):
        yield warning
    if serves and (warning := address_warning(settings.server)):
        yield warning


def address_warning(settings: ServerSettings) -> str | None:
    """Return a sentence if the server listens on all addresses and does not know its own; None otherwise."""
    if settings.public_url is not None or not settings.listens_on_all:
        return None
    return (
        f"RENDERCAST_HOST is {settings.host} and RENDERCAST_PUBLIC_URL is not set, so download URLs start with "
        f"{settings.base_url}, which is this machine only: set RENDERCAST_PUBLIC_URL to the address that clients use."
    )


def unknown_variables() -> Iterator[str]:
    """Yield a sentence for each variable that is probably a misspelt setting.

    Raises `StartupError` if the file `.env` can't be read or parsed.
    """
    known = {*accepted_variables(), *CLIENT_VARIABLES}
    for name, value in sorted(given_names().items()):
        if name in known or is_service_variable(name, value):
            continue
        if name.startswith(PREFIX):
            close = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else ".")
        elif name.startswith(REMOTION_PREFIX) and (
            close := difflib.get_close_matches(name, known, n=1, cutoff=MIN_SIMILARITY)
        ):
            yield f"{name} is not a setting; did you mean {close[0]}?"
