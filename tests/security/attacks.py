"""Documents and variables that are expensive to process, and the error that each must get."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A document, and the code and a part of the message of its error."""

    text: str
    message: str
    code: str = "LIMIT_EXCEEDED"


def deep(levels: int) -> list[object]:
    """Return a list with this many levels."""
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def bomb(fragments: int, *, spreads: int = 2) -> str:
    """Return a document in which each fragment spreads the next several times."""
    links = (f"fragment F{n} on Query {{ {f'...F{n + 1} ' * spreads} }}" for n in range(fragments))
    return f"{{ ...F0 }} {' '.join(links)} fragment F{fragments} on Query {{ renderLimits {{ fps }} }}"


def cycles(fragments: int) -> str:
    """Return a document in which each fragment spreads the next two, and the last ones the first."""
    links = (
        f"fragment F{n} on Query {{ ...F{(n + 1) % fragments} ...F{(n + 2) % fragments} }}" for n in range(fragments)
    )
    return f"{{ ...F0 }} {' '.join(links)}"


def aliases(number: int) -> str:
    return "{" + " ".join(f"a{n}: renderLimits {{ fps }}" for n in range(number)) + "}"


TOKENS = "Document contains more than 1000 tokens."
FIELDS = "more than 500 fields"
COST = "may return more than 10000 fields"
PAIRS = "more than 2000 pairs of fields with the same response name"
DOCUMENTS = {
    "1,000 aliases": Attack(text=aliases(1000), message=TOKENS),
    "100 aliases": Attack(text=aliases(100), message="more than 50 aliases"),
    "60-level cycle": Attack(text="{__schema{types{" + "fields{type{" * 30 + "name" + "}}" * 30 + "}}}", message=COST),
    "6-level cycle": Attack(text="{__schema{types{" + "fields{type{" * 6 + "name" + "}}" * 6 + "}}}", message=COST),
    "deep cycle": Attack(
        text="{__schema{" + "ofType{" * 30 + "name" + "}" * 30 + "}}", message="nested deeper than 15"
    ),
    "introspection": Attack(text="{__schema{description}}", message="introspection", code="BAD_USER_INPUT"),
    "35 introspections": Attack(
        text="{" + " ".join(f"a{n}: __schema{{types{{name}}}}" for n in range(35)) + "}", message="more than 1 fields"
    ),
    "fragment bomb": Attack(text=bomb(80), message=PAIRS),
    "wide fragment bomb": Attack(text=bomb(20, spreads=10), message=PAIRS),
    "long fragment bomb": Attack(text=bomb(5000), message="more than 64000 characters"),
    "fragments in cycles": Attack(text=cycles(80), message=FIELDS),
    "fragments in one cycle": Attack(text=cycles(2), message="Cannot spread fragment", code="BAD_USER_INPUT"),
    "unused fragments": Attack(
        text="{renderLimits{fps}}" + "".join(f"fragment F{n} on RenderLimits {{{'fps ' * 10}}}" for n in range(60)),
        message=PAIRS,
    ),
    "10,000 directives": Attack(
        text="{__typename" + "@skip(if:true)" * 10_000 + "}", message="more than 64000 characters"
    ),
    "5,000 directives": Attack(text="{__typename" + "@a" * 5000 + "}", message=TOKENS),
    "100 directives": Attack(text="{__typename" + "@skip(if:true)" * 100 + "}", message="more than 50 directives"),
    "500 duplicate fields": Attack(text="{renderLimits{" + "fps " * 500 + "}}", message=PAIRS),
    "90 duplicate connections": Attack(text="{" + "renders{edges{cursor}}" * 90 + "}", message=PAIRS),
    "1,000 operations": Attack(text="".join(f"query Q{n}{{__typename}}" for n in range(1000)), message=TOKENS),
    "100 operations": Attack(
        text="".join(f"query Q{n}{{__typename}}" for n in range(100)), message="more than 50 operations"
    ),
    "deep fields": Attack(text="{" + "a{" * 100 + "b" + "}" * 101, message="nested deeper than 15"),
    "deeper fields": Attack(text="{" + "a{" * 20_000, message="Document is nested too deeply."),
    "deep inline fragments": Attack(
        text="{" + "...{" * 300 + "__typename" + "}" * 301, message="Document is nested too deeply."
    ),
    "deep list": Attack(text="{renders(filter:{status:" + "[" * 20_000, message="Document is nested too deeply."),
    "huge enum list": Attack(
        text="{renders(filter:{status:[" + "QUEUED " * 9000 + "]}){edges{cursor}}}", message=TOKENS
    ),
    "many pages": Attack(
        text="{" + "".join(f"a{n}:renders(first:100){{edges{{node{{queuePosition}}}}}}" for n in range(10)) + "}",
        message="more than 10000 fields",
    ),
    "many pages by a variable": Attack(
        text="query($n:Int!){"
        + "".join(f"a{n}:renders(first:$n){{edges{{node{{queuePosition}}}}}}" for n in range(10))
        + "}",
        message="more than 10000 fields",
    ),
    "comments": Attack(text="{__typename}" + "#\n" * 5000, message="more than 1000 comments"),
    "a body of spaces": Attack(text="{__typename}" + " " * 200_000, message="more than 64000 characters"),
    "5,000 digits": Attack(
        text="{renders(first:" + "9" * 5000 + "){edges{cursor}}}",
        message="Expected value of type 'Int'",
        code="BAD_USER_INPUT",
    ),
    "long unknown names": Attack(
        text="{" + "".join(f"{'x' * 300}{n} " for n in range(150)) + "}",
        message="Cannot query field",
        code="BAD_USER_INPUT",
    ),
}
VARIABLES: dict[str, dict[str, object]] = {
    "huge enum list": {"filter": {"status": ["QUEUED"] * 20_000}},
    "deep list": {"filter": {"status": deep(500)}},
    "wide tree": {"filter": [[[]] for _ in range(20_000)]},
}
