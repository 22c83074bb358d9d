"""The subcommands of `rendercast`: the server, the worker, client commands and the diagnosis."""
