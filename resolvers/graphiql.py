"""GraphiQL's page. Strawberry's own, which loads its parts from a CDN; from here instead when npm installed them."""

from pathlib import Path

from strawberry.http.ides import get_graphql_ide_html


def graphiql_page(web_dir: Path) -> str:
    """Return the page."""
    return get_graphql_ide_html("graphiql")
