"""The faults that tests inject into the responses of the Lambda function for tests."""

import threading
from dataclasses import dataclass
from enum import Enum, auto

from tests.support.lambda_progress import JSON


class Fault(Enum):
    """A fault in the response to an invocation."""

    THROTTLED = auto()
    SERVICE_ERROR = auto()  # nothing runs
    SERVICE_ERROR_LATE = auto()  # the same response, but the render runs
    NO_NETWORK_INTERFACE = auto()  # these four are the limits of a function in a VPC, or of EC2; nothing runs
    SUBNET_FULL = auto()
    EC2_THROTTLED = auto()
    EC2_UNEXPECTED = auto()
    ACCESS_DENIED = auto()
    EXPIRED_TOKEN = auto()
    REJECTED = auto()  # an error response of the function, with a message
    CRASHED = auto()  # the function crashes before anything ran
    CRASHED_LATE = auto()  # the function crashes, but the render runs
    UNLOADABLE = auto()  # the function's code can't be loaded
    HELD = auto()  # no response until the client gives up, but the render runs
    DROPPED = auto()  # the connection is closed without a response, but the render runs
    SLOW = auto()  # the response is correct but late
    SEVERAL_OBJECTS = auto()  # the response is the last of several concatenated JSON objects
    ECHOED = auto()  # the response also contains the animation's properties


_SERVICE_ERROR: JSON = {"Type": "Service", "Message": "An error occurred."}

# Responses of the service itself: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
ERROR_RESPONSES: dict[Fault, tuple[int, str, JSON]] = {
    Fault.THROTTLED: (
        429,
        "TooManyRequestsException",
        {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."},
    ),
    Fault.SERVICE_ERROR: (500, "ServiceException", _SERVICE_ERROR),
    Fault.SERVICE_ERROR_LATE: (500, "ServiceException", _SERVICE_ERROR),
    Fault.NO_NETWORK_INTERFACE: (502, "ENILimitReachedException", _SERVICE_ERROR),
    Fault.SUBNET_FULL: (502, "SubnetIPAddressLimitReachedException", _SERVICE_ERROR),
    Fault.EC2_THROTTLED: (502, "EC2ThrottledException", _SERVICE_ERROR),
    Fault.EC2_UNEXPECTED: (502, "EC2UnexpectedException", _SERVICE_ERROR | {"EC2ErrorCode": "Server.InternalError"}),
    Fault.ACCESS_DENIED: (403, "AccessDeniedException", {"Message": "User is not authorized to perform this action"}),
    Fault.EXPIRED_TOKEN: (403, "ExpiredTokenException", {"message": "The security token included is expired"}),
}

CRASH_TYPES = {
    Fault.CRASHED: "Runtime.ExitError",
    Fault.CRASHED_LATE: "Runtime.ExitError",
    Fault.UNLOADABLE: "Runtime.ImportModuleError",
}
RUNS_FIRST = {Fault.SERVICE_ERROR_LATE}
NOTHING_RUNS = {Fault.REJECTED, Fault.CRASHED, Fault.UNLOADABLE}


@dataclass(slots=True)
class InjectedFault:
    """A fault of the next responses to invocations of one kind."""

    fault: Fault | None = None
    left: int = 0
    kind: str = ""
    seconds: float = 0.0
    message: str = ""
    until: threading.Event | None = None
