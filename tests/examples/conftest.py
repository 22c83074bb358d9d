"""The fixtures of the browser tests that the tests of examples use too."""

from tests.browser.conftest import browser, start
from tests.end_to_end.conftest import renderers

__all__ = ["browser", "renderers", "start"]
