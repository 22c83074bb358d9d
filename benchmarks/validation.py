"""CPU cost of the validation of a composition's props: size, depth and JSON values, then the schema.

`python -m benchmarks.validation`. The props have 10 KB, and the schema is what zod writes for them.
"""

import json
import statistics
import time
from collections.abc import Callable

from services.compositions.json_limits import check_json
from services.compositions.props import PropsValidator
from services.models import Composition, CompositionKind

MAX_BYTES = 256 * 1024
TURNS = 31
CALLS_PER_TURN = 100
TEXT = {"type": "string", "maxLength": 200}


def tagged(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties)}


SCENE = tagged(
    title=TEXT,
    subtitle={"anyOf": [TEXT, {"type": "null"}]},
    seconds={"type": "number", "exclusiveMinimum": 0},
    align={"type": "string", "enum": ["left", "center", "right"]},
    background={
        "anyOf": [
            tagged(type={"type": "string", "const": "color"}, color={"type": "string", "pattern": "^#[0-9a-f]{6}$"}),
            tagged(type={"type": "string", "const": "image"}, src={"type": "string", "format": "uri"}),
        ]
    },
)
SCHEMA = tagged(title=TEXT, scenes={"type": "array", "items": SCENE, "minItems": 1, "maxItems": 1000})
IMAGE = {"type": "image", "src": "https://example.com/images/background.png"}
PROPS = {
    "title": "A video of ten kilobytes",
    "scenes": [
        {
            "title": f"Scene number {number}",
            "subtitle": None if number % 2 else "A subtitle of usual length",
            "seconds": 1.5,
            "align": "center",
            "background": IMAGE if number % 3 else {"type": "color", "color": "#ff5500"},
        }
        for number in range(62)
    ],
}


def composition(schema: object) -> Composition:
    return Composition(
        id="Promo",
        kind=CompositionKind.VIDEO,
        width=1920,
        height=1080,
        fps=30,
        duration_in_frames=300,
        default_props='{"title": "Hello"}',
        props_schema=json.dumps(schema),
    )


def cpu_s(call: Callable[[], object]) -> float:
    """Return the CPU seconds of one call: the median of turns."""
    samples = []
    for _ in range(TURNS):
        started = time.process_time()
        for _ in range(CALLS_PER_TURN):
            call()
        samples.append((time.process_time() - started) / CALLS_PER_TURN)
    return statistics.median(samples)


def main() -> None:
    validator = PropsValidator(composition(SCHEMA))
    wrong = {**PROPS, "scenes": [*PROPS["scenes"][:-1], {"title": 1}]}
    all_wrong = {**PROPS, "scenes": [{"title": 1}] * 62}
    text, _ = check_json(PROPS, max_bytes=MAX_BYTES)
    assert text is not None
    assert not validator.problems(PROPS)
    rows = {
        "valid: JSON values and limits": lambda: check_json(PROPS, max_bytes=MAX_BYTES),
        "valid: schema": lambda: validator.problems(PROPS),
        "valid: both": lambda: (check_json(PROPS, max_bytes=MAX_BYTES), validator.problems(PROPS)),
        f"{len(validator.problems(wrong))} problems in one scene": lambda: validator.problems(wrong),
        "20 problems and more": lambda: validator.problems(all_wrong),
        "compiling the schema, once": lambda: PropsValidator(composition(SCHEMA)),
    }
    print(f"\n## Validation of props of {len(text):,} bytes: CPU time\n\n| | CPU |\n|---|---:|")
    for name, call in rows.items():
        print(f"| {name} | {cpu_s(call) * 1e6:.0f} µs |")


if __name__ == "__main__":
    main()
