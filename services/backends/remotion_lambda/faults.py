"""What it means when AWS doesn't do as asked, and what to mend."""

from dataclasses import dataclass, replace
from enum import Enum, auto

from services.models import Failure


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is wrong, and what the operator has to do about it, as two halves of a sentence."""

    code: str
    problem: str
    cure: str

    @property
    def sentence(self) -> str:
        """What to tell the operator."""
        return f"{self.problem[0].upper()}{self.problem[1:]}: {self.cure}."


_CREDENTIALS = Remedy(
    "CREDENTIALS_INVALID",
    "the AWS credentials are wrong or have expired",
    "renew REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY, or what stands in for them",
)
_FUNCTION = Remedy(
    "FUNCTION_NOT_FOUND",
    "the Lambda function does not exist",
    "correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_AWS_REGION, or deploy it",
)
_BROKEN_FUNCTION = Remedy("FUNCTION_BROKEN", "the Lambda function can't be run", "deploy it again")
_BUCKET = Remedy(
    "BUCKET_NOT_FOUND",
    "the bucket does not exist in its region",
    "correct REMOTION_SERVE_URL, REMOTION_BUCKET_NAME or REMOTION_AWS_REGION",
)
_DENIED = Remedy("ACCESS_DENIED", "a permission is missing on AWS", "grant {permission} to the AWS user")
_REGION = Remedy(
    "REGION_NOT_FOUND",
    "AWS has no address in the region",
    "correct REMOTION_AWS_REGION, or mend how this machine looks up names",
)
_UNKNOWN_REASON = Remedy(
    "CREDENTIALS_INVALID",
    "the AWS credentials have expired, or the region is wrong",
    "renew REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY, or what stands in for them, or correct "
    "REMOTION_AWS_REGION",
)
_OTHER = Remedy("REQUEST_REFUSED", "AWS does not accept a request", "look into the log, which has AWS's own words")

# What an operation needs, of https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
# and list_awslambda.html. Without s3:ListBucket, an object that is not there is answered as one that is denied.
_PERMISSIONS = {
    "Invoke": "lambda:InvokeFunction",
    "GetObject": "s3:GetObject and s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
}

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html; HEAD answers have a status only, which boto3 takes
# for the code.
_NOT_NOW = {
    "EC2ThrottledException",
    "ResourceConflictException",  # the function is being updated
    "ResourceNotReadyException",  # it was idle for weeks and is being woken
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_ABSENT = {"NoSuchKey", "NotFound", "404"}
_UNKNOWN = {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable"}
_REMEDIES = {
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "RequestTimeTooSkewed": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "ResourceNotFoundException": _FUNCTION,
    "NoSuchBucket": _BUCKET,
    "PermanentRedirect": _BUCKET,
    "AuthorizationHeaderMalformed": _BUCKET,
    "301": _BUCKET,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "400": _UNKNOWN_REASON,
    "403": _DENIED,
}
_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500


class Meaning(Enum):
    """What is known of a request that AWS did not answer as hoped."""

    NEVER_SENT = auto()
    """It did not reach AWS, so nothing was done."""
    NOT_NOW = auto()
    """AWS had no room for it, so nothing was done."""
    ABSENT = auto()
    """The object is not there."""
    UNREADABLE = auto()
    """It was answered, but with what nobody can understand."""
    REFUSED = auto()
    """AWS refuses it until somebody mends what is wrong; nothing was done."""
    UNKNOWN = auto()
    """It may have been done or not."""


class AwsError(Exception):  # told from errors of the domain, which these become
    """AWS did not do as asked. `remedy` says what to mend, if that is known."""

    def __init__(self, detail: str, meaning: Meaning, *, remedy: Remedy | None = None) -> None:
        self.meaning = meaning
        self.remedy = remedy
        super().__init__(detail)

    @property
    def failure(self) -> Failure | None:
        """What the owner of a render is told if it failed for this; None if it may pass."""
        if self.remedy is None or self.meaning is not Meaning.REFUSED:
            return None
        message = (
            f"Nothing can be rendered now: {self.remedy.problem}. "
            f"Please tell the service's operator, who has to {self.remedy.cure}."
        )
        return Failure(code=self.remedy.code, message=message, retryable=False, detail=str(self))


def fault(operation: str, *, code: str, status: int, detail: str) -> AwsError:
    """Return what an error answer to the operation means. `code` is AWS's own word for the error."""
    described = f"{operation}: {code}: {detail}"
    if code in _NOT_NOW or status == _TOO_MANY_REQUESTS:
        return AwsError(described, Meaning.NOT_NOW)
    if code in _ABSENT:
        return AwsError(described, Meaning.ABSENT)
    if code in _UNKNOWN or status >= _FIRST_SERVER_ERROR:
        return AwsError(described, Meaning.UNKNOWN)
    remedy = _REMEDIES.get(code, _OTHER)
    cure = remedy.cure.format(permission=_PERMISSIONS.get(operation, operation))
    return AwsError(described, Meaning.REFUSED, remedy=replace(remedy, cure=cure))


def no_credentials(detail: str) -> AwsError:
    """Return that no request can be signed."""
    return AwsError(detail, Meaning.REFUSED, remedy=_CREDENTIALS)


def no_address(detail: str) -> AwsError:
    """Return that the host's name stands for nothing, which may be an outage as well."""
    return AwsError(detail, Meaning.NEVER_SENT, remedy=_REGION)


def broken_function(detail: str) -> AwsError:
    """Return that Lambda can't run the function's code at all."""
    return AwsError(detail, Meaning.REFUSED, remedy=_BROKEN_FUNCTION)
