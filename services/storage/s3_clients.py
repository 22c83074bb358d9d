"""Builds the boto3 clients of S3: timeouts, tries, and the hosts that requests are sent to."""

from typing import TYPE_CHECKING, Literal

import boto3
from botocore import UNSIGNED
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_CONCURRENT_CALLS = 16  # of a client: the number of threads and connections
CONNECT_TIMEOUT_S = 5
STORAGE_TIMEOUT_S = 5
STORAGE_TRIES = 2
UPLOAD_TIMEOUT_S = 30  # some storages assemble the parts of a file before they respond
UPLOAD_TRIES = 3


def new_s3_clients(session: boto3.Session) -> tuple["S3Client", "S3Client"]:
    """Return a client that signs requests, and one that only builds URLs and so never waits for credentials.

    Both use the host `BUCKET.s3.REGION.…` of the bucket's own region. boto3's default for presigned URLs is the global
    host, `BUCKET.s3.amazonaws.com`, which redirects requests for new buckets, and which doesn't know buckets in regions
    launched after March 2019:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility.
    boto3 still uses `s3.REGION.…/BUCKET` for a bucket name with dots, which the certificates of S3 don't cover.
    """
    style: Literal["auto", "virtual"] = "virtual"
    unsigned = session.client("s3", config=_unsigned(style))
    if unsigned.meta.endpoint_url != _default_endpoint(session):  # whose host may have no subdomains
        style = "auto"
        unsigned = session.client("s3", config=_unsigned(style))
    signed = _s3_config(style).merge(Config(signature_version="s3v4"))
    return session.client("s3", config=signed), unsigned


def new_provider_clients(session: boto3.Session, *, endpoint: str, path_style: bool) -> tuple["S3Client", "S3Client"]:
    """Return the same two clients for another provider than AWS.

    Requests have no checksums that S3 does not require, since not all providers support them. The variables of boto3
    for another endpoint are for AWS, and don't apply.
    """
    config = _s3_config("path" if path_style else "virtual").merge(
        Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    )
    signed = config.merge(Config(signature_version="s3v4"))
    unsigned = config.merge(Config(signature_version=UNSIGNED))
    return (
        session.client("s3", endpoint_url=endpoint, config=signed),
        session.client("s3", endpoint_url=endpoint, config=unsigned),
    )


def new_upload_client(session: boto3.Session, client: "S3Client", *, endpoint: str | None) -> "S3Client":
    """Return a client for uploads, which waits longer for responses than `client`, the one that signs requests."""
    retries = Config(read_timeout=UPLOAD_TIMEOUT_S, retries={"total_max_attempts": UPLOAD_TRIES, "mode": "standard"})
    return session.client("s3", endpoint_url=endpoint, config=client.meta.config.merge(retries))


def _default_endpoint(session: boto3.Session) -> str:
    """Return the endpoint of S3 itself, whatever other endpoint is configured."""
    # The stubs lack the option: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html.
    unconfigured = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]
    return session.client("s3", config=_unsigned("auto").merge(unconfigured)).meta.endpoint_url


def _unsigned(style: Literal["auto", "virtual"]) -> Config:
    return _s3_config(style).merge(Config(signature_version=UNSIGNED))


def _s3_config(style: Literal["auto", "virtual", "path"]) -> Config:
    s3 = Config(s3={"us_east_1_regional_endpoint": "regional", "addressing_style": style})
    return client_config(STORAGE_TIMEOUT_S, tries=STORAGE_TRIES).merge(s3)


def client_config(timeout_s: float, *, tries: int) -> Config:
    """Return the configuration of a client: how long it waits for a response, and how often it sends a request."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=timeout_s,
        retries={"total_max_attempts": tries, "mode": "standard"},
        max_pool_connections=MAX_CONCURRENT_CALLS,
        tcp_keepalive=True,  # so that NAT gateways don't drop the connection of a start that takes long
    )
