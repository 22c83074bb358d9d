"""The scenarios of renders on the Remotion Lambda function for tests."""

from enum import Enum, auto

from tests.support.lambda_progress import STYLE_UNKNOWN

CRASHED = "Protocol error (Runtime.callFunctionOn): Target closed."
THROTTLED = (
    "AWS Concurrency limit reached (Original Error: Rate Exceeded.). "
    "See https://www.remotion.dev/docs/lambda/troubleshooting/rate-limit for tips to fix this."
)


class Scenario(Enum):
    """The course of a render."""

    SUCCESS = auto()
    SITE_UNREACHABLE = auto()
    UNKNOWN_COMPOSITION = auto()
    BAD_PROPS = auto()
    OUTPUT_EXISTS = auto()  # and may not be overwritten
    LAUNCH_DIES = auto()  # before it has loaded the composition; nothing is written afterwards
    RENDERERS_THROTTLED = auto()
    CHUNK_RETRIED = auto()  # completes, but the frames of one chunk are rendered twice
    CHUNK_HANGS = auto()  # all other chunks are rendered; the render can be cancelled
    REACT_ERROR = auto()
    BROWSER_CRASH = auto()
    DISK_FULL = auto()
    STITCHER_TIMES_OUT = auto()  # all chunks are rendered; nothing is written afterwards
    CORRUPT_FILE = auto()  # completes, but the file is temporarily truncated, empty or not an object
    NO_POST_RENDER_DATA = auto()  # the output is stored; nothing is written afterwards
    LOST_LAST_WRITE = auto()  # completes, but the file stays at half of the frames combined
    EARLY_POST_RENDER_DATA = auto()  # completes, but the file says so before the output is stored
    NO_OUTPUT = auto()  # the file says that it is complete, but the output is never stored
    FRACTIONAL_NUMBERS = auto()  # completes; counts and times in the file are fractions
    UNKNOWN_FIELDS = auto()  # completes; the file has unknown fields, and known ones of other types


# The error message of a renderer, and the attempt, of two, in which it failed.
RENDERER_ERRORS = {
    Scenario.REACT_ERROR: (STYLE_UNKNOWN, 1),
    Scenario.BROWSER_CRASH: (CRASHED, 2),
    Scenario.DISK_FULL: ("ENOSPC: no space left on device, write", 1),
}
