"""Settings of the pages that the server serves."""

from pathlib import Path

from pydantic import Field

from services.settings.base import CHECKOUT, SettingsGroup


class PageSettings(SettingsGroup):
    """The studio and GraphiQL."""

    studio: bool | None = Field(
        None,
        description="Serve the studio page at `/`, and shared renders at `/r/ID` if there is a secret for render "
        "tokens. Default: true in `dev`, false in `serve`.",
    )
    graphiql: bool = Field(
        default=True, description="Serve GraphiQL at `/graphql`, to browsers that open the address without a query."
    )
    web_dir: Path = Field(
        CHECKOUT / "web" / "node_modules",
        description="Folder of the pages' npm packages. If it does not exist, pages load them from a CDN.",
    )
