from datetime import timedelta

import pytest

from services.backends.remotion_lambda.function import Function, parse_function_name

NAME = "remotion-render-4-0-527-mem2048mb-disk10240mb-120sec"
FUNCTION = Function(version="4.0.527", memory_mb=2048, timeout=timedelta(seconds=120))


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        f"{NAME}:live",
        f"{NAME}:$LATEST",
        f"123456789012:function:{NAME}",
        f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}",
        f"arn:aws-cn:lambda:cn-north-1:123456789012:function:{NAME}:7",
    ],
)
def test_all_ways_to_name_a_function(name: str) -> None:
    assert parse_function_name(name) == FUNCTION


@pytest.mark.parametrize(
    "name",
    [
        "",
        "renderer",
        f"{NAME}-copy",
        f"my-{NAME}",
        NAME.upper(),
        NAME.replace("2048", "٢٠٤٨"),
        NAME.replace("120sec", "1200000sec"),
        NAME.replace("4-0-527", ""),
        NAME.replace("4-0-527", "latest"),
        f"arn:aws:s3:us-east-1:123456789012:function:{NAME}",
        f"{NAME}\n",
    ],
)
def test_names_that_follow_no_convention(name: str) -> None:
    assert parse_function_name(name) is None


def test_a_long_version_is_truncated_like_the_name() -> None:
    function = parse_function_name("remotion-render-4-0-0-alph-mem512mb-disk512mb-900sec")
    assert function is not None
    assert function.version == "4.0.0-alph"
