"""Reading the server's responses."""

import pytest

from commands.client.errors import CommandError
from commands.client.responses import read_composition, read_quota, read_render


@pytest.mark.parametrize("response", [{}, {"id": 1}, {"limit": "many"}])
def test_an_unexpected_response_raises_a_command_error(response: dict[str, object]) -> None:
    for read in (read_render, read_composition, read_quota):
        with pytest.raises(CommandError, match="unexpected format"):
            read(response)
