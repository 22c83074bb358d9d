"""Finds and checks the AWS region, by botocore's own table of regions."""

import difflib
import functools
import logging
import os
import re
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError

from services.errors import StartupError

DEFAULT_REGION = "us-east-1"
MAX_NEW_NUMBER = 2  # how far the number of a new region may be above the known ones with the same words

_REGION = re.compile(r"(?P<words>[a-z]+(?:-[a-z]+)+)-(?P<number>\d{1,2})", re.ASCII)
# A host name of S3, such as BUCKET.s3.REGION.amazonaws.com, s3-REGION.amazonaws.com and those of websites.
_S3_HOST = re.compile(
    r"(?:^|\.)s3[.-](?:(?:website|fips|dualstack)[.-])*(?P<region>[a-z]+(?:-[a-z]+)+-\d+)\.amazonaws\.", re.ASCII
)
_ARN = re.compile(r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Region:
    """A region and the source of its name: a variable, a file of the AWS SDKs, or the default."""

    name: str
    source: str


def warn_of_new_region(region: Region) -> None:
    """Log a warning if botocore does not know the region."""
    if region.name not in known_regions():
        log.warning(
            "%s is %s, which this version of boto3 does not know: it is used as a new region of AWS.",
            region.source,
            region.name,
        )


def read_region(configured: str | None) -> Region:
    """Return the configured region, or else that of the AWS SDKs, or else `DEFAULT_REGION`.

    A name that botocore does not know is accepted if it looks like that of a new region. Raises `StartupError` for any
    other name.
    """
    region = _find_region(configured)
    known = known_regions()
    if region.name not in known and not may_be_new(region.name, known):
        nearest = difflib.get_close_matches(region.name.lower(), known, n=3, cutoff=0.5) or [DEFAULT_REGION]
        source = region.source[0].upper() + region.source[1:]
        raise StartupError(
            f"{source} is {region.name!r}, which is not an AWS region; the nearest names are {', '.join(nearest)} "
            "(for a new region, install a newer boto3)."
        )
    return region


@functools.cache
def known_regions() -> frozenset[str]:
    """Return the regions of all of AWS's partitions that have S3, from botocore's endpoint data."""
    session = boto3.Session(region_name=DEFAULT_REGION)
    partitions = session.get_available_partitions()
    return frozenset(region for partition in partitions for region in session.get_available_regions("s3", partition))


def may_be_new(name: str, known: frozenset[str]) -> bool:
    """Return whether the name looks like that of a region which is newer than the table of `known` ones.

    AWS numbers regions consecutively: the name consists of words that occur at the same places of known names, and its
    number is at most `MAX_NEW_NUMBER` above the highest known one. So most misspelt names are not accepted.
    """
    match = _REGION.fullmatch(name)
    if match is None:
        return False
    parsed = [found for found in map(_REGION.fullmatch, known) if found]
    place, _, direction = match["words"].rpartition("-")
    places, directions = zip(*(found["words"].rpartition("-")[::2] for found in parsed), strict=True)
    highest = max((int(found["number"]) for found in parsed if found["words"] == match["words"]), default=0)
    is_next = 0 < int(match["number"]) <= highest + MAX_NEW_NUMBER
    return place in places and direction in directions and is_next


def region_of_host(host: str) -> str | None:
    """Return the region in a host name of S3; None for other hosts and for hosts without a region."""
    match = _S3_HOST.search(host)
    return match["region"] if match else None


def region_of_function(name: str) -> str | None:
    """Return the region in the ARN of a function; None for a name without it."""
    match = _ARN.match(name)
    return match["region"] if match else None


def _find_region(configured: str | None) -> Region:
    if configured and configured.strip():
        return Region(configured.strip(), "REMOTION_AWS_REGION")
    if from_environment := os.environ.get("AWS_REGION"):
        return Region(from_environment, "AWS_REGION")
    try:
        from_boto3 = boto3.Session().region_name
    except BotoCoreError as error:  # for example if the profile in AWS_PROFILE does not exist
        raise StartupError(f"AWS can't be used: {error}") from error
    if from_boto3:
        in_environment = bool(os.environ.get("AWS_DEFAULT_REGION"))
        return Region(from_boto3, "AWS_DEFAULT_REGION" if in_environment else "the region of the AWS profile")
    return Region(DEFAULT_REGION, "the default region")
