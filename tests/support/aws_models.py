"""boto3's descriptions of AWS services, which all clients of a test process share."""

from functools import cache

import botocore.session


def share() -> None:
    """Read each description once: parsing them for every client takes 0.1 s of CPU time for each test with a farm."""
    botocore.session.create_loader = cache(botocore.session.create_loader)
