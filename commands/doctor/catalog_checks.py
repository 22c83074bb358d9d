"""The check of `rendercast doctor` for the stored list of compositions."""

from commands.doctor.report import CheckGroup, CheckSkipped, CheckWarning
from services.compositions.ports import CatalogStore
from services.errors import BackendUnavailable, StartupError
from services.models import Catalog
from services.ports import RenderBackend
from services.runtime.maintenance import open_catalog

REFRESH = "A running worker reads it within a minute; `rendercast compositions refresh` reads it now."


async def check_compositions(group: CheckGroup) -> None:
    """Check that the compositions of the site are stored, and are those of its current version. Nothing is changed."""

    async def check() -> str:
        if group.renderer == "text":
            raise CheckSkipped("The text renderer has one composition, which is built in.")
        try:
            async with open_catalog(group.settings, with_worker=False) as (catalogs, backend):
                return await _compare(group, catalogs, backend)
        except StartupError as error:  # the checks of the store and of the renderer report it
            raise CheckSkipped(f"The list can't be read: {error}") from error

    await group.check("compositions", check)


async def _compare(group: CheckGroup, catalogs: CatalogStore, backend: RenderBackend) -> str:
    """Return what is stored. Raises `CheckWarning` if it is missing or may be outdated, and `StoreUnavailable`."""
    catalog = await catalogs.get(backend.site)
    if catalog is None:
        raise CheckWarning(f"No list of compositions of this site is stored. {REFRESH}")
    if group.renderer == "node":
        return f"Workers have stored the list: {_summary(catalog)}."
    try:
        version = await backend.site_version()
    except BackendUnavailable as error:
        reason = str(error).rstrip(".")
        raise CheckWarning(
            f"The site can't be read: {reason}. The last list stays in use: {_summary(catalog)}."
        ) from error
    if version != catalog.version:
        raise CheckWarning(f"The site has changed since its list was stored ({_summary(catalog)}). {REFRESH}")
    return f"The stored list is that of the current site: {_summary(catalog)}."


def _summary(catalog: Catalog) -> str:
    return f"{len(catalog.compositions)} compositions, discovered at {catalog.discovered_at:%Y-%m-%d %H:%M} UTC"
