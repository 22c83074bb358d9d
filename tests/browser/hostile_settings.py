"""Settings of the studio with texts that would be commands or code if they were more than texts."""

from typing import Any

# Each would run `touch pwned`, read a file or start another render if it were more than a text.
HOSTILE = [
    """it's "quoted" and 'quoted'""",
    "$(touch pwned) ${HOME} $HOME `touch pwned`",
    "'; touch pwned; '",
    "'$(touch pwned)'",
    '"; touch pwned; "',
    "\\'; touch pwned; \\'",
    "a\\",
    "\\\\ \\n \\x41 \\u0041 %s %n",
    "one\ntwo\n\n$(touch pwned)\n",
    "a\n--no-wait\n#",
    "-n",
    "--help",
    "--",
    "-",
    "-o pwned",
    "!! !x !$",
    "& touch pwned && touch pwned | touch pwned > pwned",
    "~ * ? [a] {a,b} #a =ls",
    "@/etc/passwd",
    "tab\there",
    "\N{GRINNING FACE} \N{FAMILY} e\N{COMBINING ACUTE ACCENT} \N{ARABIC LETTER ALEF} \N{LINE SEPARATOR}.",
    '"}}) { __typename } other: startRender(input: {animationProps: {text: "x',
    '"""',
    "#{x} %{x} {{x}} </script> ${x}",
]
ANIMATION_PROPS = {
    "text": "Hello",
    "style": "SLIDE_UP",
    "fontFamily": "Inter",
    "fontSize": 72.5,
    "fontWeight": 700,
    "italic": True,
    "color": "rgb(255 250 240)",
    "backgroundColor": "#102030",
    "durationInFrames": 45,
    "fps": 30,
}
HOSTILE_PROPS = {
    "title": "'; touch pwned; ' $(touch pwned) \\ \" \n",
    "style": "FADE_IN",  # a text here, although it is an enum in another place
    "format": {"format": ["H264", None, True, 1.5, 12345678901, "x"]},
    "camelCase_1": {},
    "n": None,
}
STRANGE_NAMES = {
    **HOSTILE_PROPS,
    "a.b": 1,
    "a=b": [1],
    "": "x",
    "-o": 2,
    "$(touch pwned)": "'",
    'q"\\[0]': {"a b": "c"},
}
OUTPUTS = [
    {"video": {"format": "PRORES", "proResProfile": "P4444_XQ", "transparent": True, "width": 640, "fps": 24}},
    {"video": {"format": "VP9", "crf": 30, "muted": True}},
    {"gif": {"everyNthFrame": 2, "loops": 3}},
    {"still": {"format": "JPEG", "frame": -1, "quality": 55}},
]


def animation(**props: object) -> dict[str, Any]:
    return {"animationProps": {**ANIMATION_PROPS, **props}}


def composition(props: dict[str, Any]) -> dict[str, Any]:
    return {"composition": {"id": "Plain", "props": props}}


INPUTS = [
    *(animation(text=text) for text in HOSTILE),
    animation(fontFamily="$(touch pwned)', 'x", color="rgb(1,2,3)"),
    composition(HOSTILE_PROPS),
    composition(STRANGE_NAMES),
    *({**animation(), "output": output} for output in OUTPUTS),
]


def assert_same(found: dict[str, Any], given: dict[str, Any]) -> None:
    """Check that a render has the given input. Props that were not given have their defaults."""
    if "animationProps" in given:
        assert found["animationProps"] == given["animationProps"]
    else:
        chosen = given["composition"]
        assert found["compositionId"] == chosen["id"]
        assert {name: found["inputProps"][name] for name in chosen["props"]} == chosen["props"]
    [options] = given.get("output", {"video": {"format": "H264"}}).values()
    assert {name: found["output"][name] for name in options if name in found["output"]} == {
        name: value for name, value in options.items() if name in found["output"]
    }
