"""Settings of the renderer `node`."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from services.settings.base import SettingsGroup
from services.settings.values import expand_home


class OwnMachineSettings(SettingsGroup):
    """Rendering of your Remotion project on your own machines, as described in [own-machines.md](own-machines.md).

    `REMOTION_COMPOSITION`, `REMOTION_COLOR_SPACE`, `REMOTION_IMAGE_FORMAT` and `REMOTION_LICENSE_KEY` apply too.
    """

    remotion_project: Path | None = Field(
        None,
        validation_alias="REMOTION_PROJECT",
        description="Folder of the Remotion project, or its entry point: the file that calls `registerRoot()`. Workers "
        "bundle it when they start.",
    )
    remotion_site: Path | None = Field(
        None,
        validation_alias="REMOTION_SITE",
        description="Folder that `npx remotion bundle` made, used instead of bundling. Remotion's packages are those "
        "of `REMOTION_PROJECT` or, if that is unset, of the project that contains the folder.",
    )
    remotion_browser: Annotated[str, AfterValidator(expand_home)] | None = Field(
        None,
        validation_alias="REMOTION_BROWSER",
        min_length=1,
        description="Path or name of the browser that draws the frames. Default: the fastest one that is installed.",
    )
    cpu_second_usd: float = Field(
        0, ge=0, le=1, description="Price of one second of CPU time in US dollars, for the cost of each render."
    )
