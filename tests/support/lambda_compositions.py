"""The site of the Remotion Lambda function for tests: its compositions, and how they react to props.

`TextAnimation` is the one for `animationProps`. The others are those of a foreign project, as Remotion 4.0.527
described them: with nested props and a union, a still, one without a schema, and one with a date. `rendercast` is the
hidden one of the helper, whose props describe the others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.lambda_progress import DATA, JSON

DEFAULT_PROPS: JSON = {"text": "Hello", "durationInFrames": 90, "fps": 30}
UNSET = "defaultCodec defaultOutName defaultVideoImageFormat defaultPixelFormat defaultProResProfile defaultSampleRate"
HIDDEN = "rendercast"
FORBIDDEN_TITLE = "raise an error"


@dataclass(frozen=True, slots=True)
class SiteComposition:
    """A composition with its default props, and its `calculateMetadata`: the changes that given props cause."""

    described: JSON
    calculate: Callable[[JSON], JSON]

    def evaluate(self, input_props: JSON) -> JSON:
        """Return it as `getCompositions` does, with these props merged over the default ones. Raises `ValueError`."""
        props = self.described["defaultProps"] | input_props
        return self.described | {"props": props} | self.calculate(props)


Site = Mapping[str, SiteComposition]


def _text_metadata(props: JSON) -> JSON:
    """Take the duration from the props, as the composition of docs/deploying.md does."""
    frames, fps = props.get("durationInFrames"), props.get("fps")
    if not isinstance(frames, int):
        problem = "must be a number, but you passed a value of type undefined"
        raise ValueError(f'The "durationInFrames" prop of the <Composition/> component {problem}')  # noqa: TRY004
    return {"durationInFrames": frames, "fps": fps}


def _scenes_metadata(props: JSON) -> JSON:
    """Take the duration from the scenes, at 30 frames per second."""
    if props["title"] == FORBIDDEN_TITLE:
        raise ValueError("calculateMetadata() raised an error: this title is forbidden")
    return {"durationInFrames": round(30 * sum(scene["seconds"] for scene in props["scenes"]))}


def _unchanged(props: JSON) -> JSON:
    del props
    return {}


def _described(name: str, default_props: JSON) -> JSON:
    described = {"id": name, "width": 1920, "height": 1080, "fps": 30, "durationInFrames": 90}
    return dict.fromkeys(UNSET.split()) | described | {"defaultProps": default_props, "props": default_props}


def site_of(listed: Sequence[JSON]) -> Site:
    """Return the site whose compositions, and the hidden one, `getCompositions` has listed.

    The length of `Promo` depends on its scenes, as in the foreign project and in docs/compositions.md.
    """
    catalog = next(each["props"] for each in listed if each["id"] == HIDDEN)
    dynamic = {"Promo": _scenes_metadata, HIDDEN: lambda _: {"props": catalog}}
    return {each["id"]: SiteComposition(each, dynamic.get(each["id"], _unchanged)) for each in listed}


def _recorded() -> Site:
    """Return the compositions of the foreign project, and the hidden one, in their order."""
    file = (DATA / "remotion-compositions.json").read_text(encoding="utf-8")
    return site_of(json.loads(file)["with_helper"])


TEXT_SITE: Site = {"TextAnimation": SiteComposition(_described("TextAnimation", DEFAULT_PROPS), _text_metadata)}
SITE: Site = {**TEXT_SITE, **_recorded()}
SITE_WITHOUT_HELPER: Site = {name: each for name, each in SITE.items() if name != HIDDEN}


def evaluate_all(site: Site, input_props: JSON) -> list[JSON]:
    """Return all compositions as `getCompositions` does. Raises `ValueError` if any raises an error."""
    return [composition.evaluate(input_props) for composition in site.values()]


def find_composition(site: Site, name: str) -> SiteComposition:
    """Return a composition. Raises `ValueError` as Remotion does for an unknown one."""
    found = site.get(name)
    if found is None:
        available = ", ".join(site)
        raise ValueError(f"Could not find composition with ID {name}. Available compositions: {available}")
    return found


def forced(composition: JSON, payload: JSON) -> JSON:
    """Return the composition with the size, frame rate and duration that a payload forces."""
    forces = {"width": "forceWidth", "height": "forceHeight", "fps": "forceFps"}
    forces["durationInFrames"] = "forceDurationInFrames"
    return composition | {name: payload[key] for name, key in forces.items() if payload.get(key) is not None}
