"""`python -m services.settings`: print docs/settings.md."""

import sys

from services.settings.reference import reference

sys.stdout.write(reference())
