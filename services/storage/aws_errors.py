"""`AwsError`: errors of AWS requests, classified by what is known about the request, with the operator's remedy."""

from dataclasses import dataclass, replace
from enum import Enum, auto

from services.models import Failure
from services.renders.failure_messages import OWNER_MESSAGES


@dataclass(frozen=True, slots=True)
class Remedy:
    """A stable code, the problem, and the operator's action against it; the last two are halves of one sentence."""

    code: str
    problem: str
    action: str

    @property
    def sentence(self) -> str:
        """The sentence for the operator."""
        return f"{self.problem[0].upper()}{self.problem[1:]}: {self.action}."


_CREDENTIALS = Remedy(
    "CREDENTIALS_INVALID",
    "the AWS credentials are wrong or have expired",
    "renew REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY, or the source that replaces them",
)
_FUNCTION = Remedy(
    "FUNCTION_NOT_FOUND",
    "the Lambda function does not exist",
    "correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_AWS_REGION, or deploy it",
)
_BROKEN_FUNCTION = Remedy("FUNCTION_BROKEN", "Lambda can't run the function", "deploy the function again")
_BUCKET = Remedy(
    "BUCKET_NOT_FOUND",
    "the bucket does not exist in its region",
    "correct REMOTION_SERVE_URL, REMOTION_BUCKET_NAME or REMOTION_AWS_REGION",
)
_ACL = Remedy("ACL_NOT_SUPPORTED", "the bucket does not allow access control lists", "set REMOTION_PRIVACY=no-acl")
_KEY = Remedy(
    "ACCESS_DENIED",
    "the KMS key of the bucket can't be used",
    "enable the key, or choose another one for the bucket",
)
_TOO_LARGE = Remedy(
    "REQUEST_TOO_LARGE",
    "the props don't fit into a request",
    "lower RENDERCAST_MAX_PROPS_BYTES or RENDERCAST_MAX_TEXT_LENGTH",
)
_DENIED = Remedy("ACCESS_DENIED", "a permission is missing on AWS", "grant {permission} to the AWS user")
_REGION = Remedy(
    "REGION_NOT_FOUND",
    "the name of the region's AWS endpoint can't be resolved",
    "correct REMOTION_AWS_REGION, or fix this machine's DNS",
)
_UNKNOWN_REASON = Remedy(
    "CREDENTIALS_INVALID",
    "the AWS credentials have expired, or the region is wrong",
    "renew REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY, or the source that replaces them, or correct "
    "REMOTION_AWS_REGION",
)
_OTHER = Remedy("REQUEST_REFUSED", "AWS rejects a request", "see the error message of AWS")

# The permission that an operation needs, from
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and list_awslambda.html.
# Without s3:ListBucket, S3 reports a missing object as access denied.
_PERMISSIONS = {
    "Invoke": "lambda:InvokeFunction",
    "GetObject": "s3:GetObject and s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
}

# Error codes from https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. HEAD responses have only a status, which boto3 uses as
# the code.
_THROTTLING_CODES = {
    "CodeArtifactUserPendingException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "KMS.ThrottlingException",
    "RequestLimitExceeded",
    "ResourceConflictException",  # the function is being updated
    "ResourceNotReadyException",  # the function was idle for weeks and is being reactivated
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "ServiceQuotaExceededException",
    "SlowDown",
    "SnapStartNotReadyException",
    "SnapStartRegenerationFailureException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_NOT_FOUND_CODES = {
    "NoSuchKey",
    "NoSuchLifecycleConfiguration",
    "NotFound",
    "ServerSideEncryptionConfigurationNotFoundError",
    "404",
}
_EXISTS_CODES = {"PreconditionFailed", "412"}
_UNKNOWN_CODES = {
    "ConditionalRequestConflict",
    "EFSIOException",  # while the function was running
    "InternalError",
    "NoSuchUpload",  # also if the response to its completion was lost, and boto3 has repeated that
    "OperationAborted",
    "Redirect",
    "RequestTimeout",
    "ServiceException",
    "ServiceUnavailable",
    "TemporaryRedirect",
}
_REMEDIES = dict[str, Remedy](
    {
        "ResourceNotFoundException": _FUNCTION,
        "AccessControlListNotSupported": _ACL,
        "InvalidBucketAclWithObjectOwnership": _ACL,
        "400": _UNKNOWN_REASON,
    }
    | dict.fromkeys(("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403"), _DENIED)
    | dict.fromkeys(("RequestTooLargeException", "SerializedRequestEntityTooLargeException"), _TOO_LARGE)
    | dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationTokenException",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
        ),
        _CREDENTIALS,
    )
    | dict.fromkeys(
        (
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "IncorrectEndpoint",
            "InvalidBucketName",
            "NoSuchBucket",
            "PermanentRedirect",
            "301",
        ),
        _BUCKET,
    )
    | dict.fromkeys(("KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException"), _KEY)
    | dict.fromkeys(("InvalidRequest", "NotImplemented"), _OTHER)  # the latter has the status 501
    # Lambda returns these, most of them with the status 502, before it runs the function.
    | dict.fromkeys(
        (
            "CodeArtifactUserDeletedException",
            "CodeArtifactUserFailedException",
            "EC2AccessDeniedException",
            "EFSMountFailureException",
            "InvalidRuntimeException",
            "InvalidSecurityGroupIDException",
            "InvalidSubnetIDException",
            "InvalidZipFileException",
            "KMSAccessDeniedException",
            "KMSDisabledException",
            "KMSInvalidStateException",
            "KMSNotFoundException",
            "ModeNotSupportedException",
            "NoPublishedVersionException",
            "RecursiveInvocationException",
            "RuntimeAliasDeletedException",
            "RuntimeVersionDeletedException",
            "S3FilesMountFailureException",
            "SnapStartException",
        ),
        _BROKEN_FUNCTION,
    )
)
_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500


class AwsErrorKind(Enum):
    """What is known about a request that failed."""

    NOT_SENT = auto()
    """The request did not reach AWS, so it had no effect."""
    THROTTLED = auto()
    """AWS had no capacity for the request, so it had no effect."""
    NOT_FOUND = auto()
    """The object does not exist."""
    EXISTS = auto()
    """The object exists, and was not to be replaced."""
    INVALID_RESPONSE = auto()
    """The response can't be parsed."""
    REJECTED = auto()
    """AWS rejects the request until an operator fixes the cause; it had no effect."""
    UNKNOWN = auto()
    """The request may have taken effect or not."""


class AwsError(Exception):  # not a RendercastError: the adapter translates it into one
    """A request to AWS failed. `remedy` is the operator's action, if it is known."""

    def __init__(self, detail: str, kind: AwsErrorKind, *, remedy: Remedy | None = None) -> None:
        self.kind = kind
        self.remedy = remedy
        super().__init__(detail)

    @property
    def failure(self) -> Failure | None:
        """The failure of a render that ends because of this error; None if the error may be temporary.

        Its `detail` has the remedy and the error message of AWS.
        """
        if self.remedy is None or self.kind is not AwsErrorKind.REJECTED:
            return None
        return Failure(
            code=self.remedy.code,
            message=OWNER_MESSAGES[self.remedy.code],
            retryable=False,
            detail=f"{self.remedy.sentence} ({self})",
        )


def error_from_response(operation: str, *, code: str, status: int, detail: str) -> AwsError:
    """Return the error for an error response to the operation. `code` is AWS's error code."""
    described = f"{operation}: {code}: {detail}"
    is_throttled_by_kms = code.startswith("KMS") and "throttl" in detail.lower()
    if code in _THROTTLING_CODES or status == _TOO_MANY_REQUESTS or is_throttled_by_kms:
        return AwsError(described, AwsErrorKind.THROTTLED)
    if code in _NOT_FOUND_CODES:
        return AwsError(described, AwsErrorKind.NOT_FOUND)
    if code in _EXISTS_CODES:
        return AwsError(described, AwsErrorKind.EXISTS)
    if code in _UNKNOWN_CODES or (status >= _FIRST_SERVER_ERROR and code not in _REMEDIES):
        return AwsError(described, AwsErrorKind.UNKNOWN)
    remedy = _REMEDIES.get(code, _OTHER)
    action = remedy.action.format(permission=_PERMISSIONS.get(operation, operation))
    return AwsError(described, AwsErrorKind.REJECTED, remedy=replace(remedy, action=action))


def missing_credentials(detail: str) -> AwsError:
    """Return the error for a request that can't be signed."""
    return AwsError(detail, AwsErrorKind.REJECTED, remedy=_CREDENTIALS)


def bucket_elsewhere(bucket: str, *, bucket_region: str, region: str) -> AwsError:
    """Return the error for a bucket that is in another region than the function."""
    remedy = Remedy(
        "BUCKET_NOT_FOUND",
        f"the bucket {bucket} is in {bucket_region}, not in the function's region {region}",
        "correct REMOTION_AWS_REGION, or set REMOTION_BUCKET_NAME to a bucket in the function's region",
    )
    return AwsError(f"HeadBucket: {bucket_region}", AwsErrorKind.REJECTED, remedy=remedy)


def unknown_host(detail: str) -> AwsError:
    """Return the error for a host name that can't be resolved, which may also be an outage."""
    return AwsError(detail, AwsErrorKind.NOT_SENT, remedy=_REGION)


def broken_function(detail: str) -> AwsError:
    """Return the error for a function whose code Lambda can't run at all."""
    return AwsError(detail, AwsErrorKind.REJECTED, remedy=_BROKEN_FUNCTION)
