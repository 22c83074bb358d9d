"""`rendercast` that tells users apart, and believes whoever a client says it is: `python many_users.py COMMAND …`."""

from functools import partial

import cli
from app import create_app
from tests.resolvers.serving import named_user

if __name__ == "__main__":
    cli.create_app = partial(create_app, authenticate=named_user)  # type: ignore[attr-defined]  # no command offers it
    cli.main()
