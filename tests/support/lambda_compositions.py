"""The compositions of the site of the Remotion Lambda function for tests."""

from tests.support.lambda_progress import JSON

DEFAULT_PROPS: JSON = {"text": "Hello", "durationInFrames": 90, "fps": 30}
UNSET = "defaultCodec defaultOutName defaultVideoImageFormat defaultPixelFormat defaultProResProfile defaultSampleRate"


def composition_json(name: str, input_props: JSON) -> JSON:
    """Return the composition as `getCompositions` of 4.0.527 does, evaluated with these properties."""
    props = DEFAULT_PROPS | input_props
    return dict.fromkeys(UNSET.split()) | {
        "id": name,
        "width": 1920,
        "height": 1080,
        "fps": props["fps"],
        "durationInFrames": props["durationInFrames"],
        "defaultProps": DEFAULT_PROPS,
        "props": props,
    }
