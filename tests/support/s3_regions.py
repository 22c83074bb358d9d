"""S3 as it is divided into regions: a bucket answers only on the host names of its own region.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.support.memory_bucket import MemoryObjects, S3Response
from tests.support.s3_server import error_response

# Regions launched until March 20, 2019. A request for a bucket of a later one that arrives elsewhere is answered 400.
EARLY_REGIONS = {
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
    *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"),
    *("us-gov-west-1", "us-gov-east-1", "cn-north-1", "cn-northwest-1"),
}
GLOBAL_REGION = "us-east-1"  # for which s3.amazonaws.com stands
_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?P<region>[a-z]{2,}-[a-z-]+-\d+))?\.(?P<suffix>amazonaws\.com(\.cn)?)"
)
_HEADER_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/s3/aws4_request")


@dataclass(frozen=True, slots=True)
class S3Host:
    """What a host name of S3 stands for; no region if it is the global one, no bucket if that is in the path."""

    bucket: str | None
    region: str | None
    suffix: str


def parse_host(name: str) -> S3Host | None:
    """Return what a host name stands for; None if it is not one of S3, so that DNS does not resolve it."""
    found = _HOST.fullmatch(name)
    if found is None or (found["region"] or "").startswith("cn-") != (found["suffix"] == "amazonaws.com.cn"):
        return None
    return S3Host(bucket=found["bucket"], region=found["region"], suffix=found["suffix"])


class RegionalS3(MemoryObjects):
    """Freshly created buckets by region, and their objects. `requests` are the host and status of each response."""

    def __init__(self, buckets: Mapping[str, str]) -> None:
        super().__init__()
        self.buckets = dict(buckets)
        self.requests: list[tuple[str, str, int]] = []

    def serve(self, host: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> S3Response:
        """Return the response to a request at a host name that `parse_host` knows."""
        url, at = urlsplit(target), parse_host(host)
        assert at is not None, host
        path = f"/{at.bucket}{url.path}" if at.bucket else url.path
        bucket = path.split("/")[1]
        region = self.buckets.get(bucket)
        if region is None or region.startswith("cn-") != host.endswith(".cn"):
            response = S3Response(*error_response(404, "NoSuchBucket", "The specified bucket does not exist"))
        else:
            rejected = _reject_host(at, bucket, region, target) or _reject_scope(region, url.query, headers)
            response = rejected or self.request(method, path, headers, body)
            response.headers.append(("x-amz-bucket-region", region))
        self.requests.append((host, method, response.status))
        return response


def _reject_host(at: S3Host, bucket: str, region: str, target: str) -> S3Response | None:
    """Return the response to a request that arrives in another region than the bucket's; None if it is the same."""
    if (at.region or GLOBAL_REGION) == region:
        return None
    endpoint = f"{bucket}.s3.{region}.{at.suffix}"
    if region not in EARLY_REGIONS:
        problem = f"The {region} location constraint is incompatible for the region specific endpoint"
        return S3Response(
            *error_response(400, "IllegalLocationConstraintException", f"{problem} this request was sent to.")
        )
    if at.region is None:
        advice = "Please re-send this request to the specified temporary endpoint."
        status, headers, body = error_response(307, "TemporaryRedirect", advice, Endpoint=endpoint, Bucket=bucket)
        return S3Response(status, [*headers, ("Location", f"https://{endpoint}{target}")], body)
    advice = "The bucket you are attempting to access must be addressed using the specified endpoint."
    return S3Response(*error_response(301, "PermanentRedirect", advice, Endpoint=endpoint, Bucket=bucket))


def _reject_scope(region: str, query: str, headers: Mapping[str, str]) -> S3Response | None:
    """Return the response to a request that is signed for another region, or not at all."""
    in_query = parse_qs(query).get("X-Amz-Credential")
    found = _HEADER_SCOPE.search(headers.get("Authorization", ""))
    signed_for = in_query[0].split("/")[2] if in_query else found and found[1]
    if signed_for is None:
        return S3Response(*error_response(403, "AccessDenied", "Access Denied"))
    if signed_for == region:
        return None
    where = f"the region '{signed_for}' is wrong; expecting '{region}'"
    if in_query:
        problem = f"Error parsing the X-Amz-Credential parameter; {where}"
        return S3Response(*error_response(400, "AuthorizationQueryParametersError", problem, Region=region))
    problem = f"The authorization header is malformed; {where}"
    return S3Response(*error_response(400, "AuthorizationHeaderMalformed", problem, Region=region))
