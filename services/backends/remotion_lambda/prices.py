"""Prices of AWS Lambda by region, from the list in Remotion's own client 4.0.527.

The client uses the prices of us-east-1 for all other regions. Here their cost is unknown instead: most of them are more
expensive, and regions of China are billed in yuan.
"""

from dataclasses import dataclass

MB_PER_GB = 1024
MS_PER_S = 1000
CHARGED_DISK_MB = 10_240 - 512  # the client assumes the maximum disk size, less the part that is free of charge


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in US dollars: per GB-second of memory on ARM, per GB-second of disk, per invocation."""

    memory: float
    disk: float
    request: float


PRICES = {
    "af-south-1": Prices(0.00001768, 4.04e-8, 2.7e-7),
    "ap-east-1": Prices(0.0000183, 4.07e-8, 2.8e-7),
    "ap-northeast-1": Prices(0.0000133334, 3.7e-8, 2e-7),
    "ap-northeast-2": Prices(0.0000133334, 3.52e-8, 2e-7),
    "ap-northeast-3": Prices(0.0000133334, 3.7e-8, 2e-7),
    "ap-south-1": Prices(0.0000133334, 3.52e-8, 2e-7),
    "ap-southeast-1": Prices(0.0000133334, 3.7e-8, 2e-7),
    "ap-southeast-2": Prices(0.0000133334, 3.7e-8, 2e-7),
    "ap-southeast-4": Prices(0.0000133334, 3.7e-8, 2e-7),
    "ap-southeast-5": Prices(0.000012, 3.33e-8, 1.8e-7),
    "ca-central-1": Prices(0.0000133334, 3.4e-8, 2e-7),
    "eu-central-1": Prices(0.0000133334, 3.67e-8, 2e-7),
    "eu-central-2": Prices(0.0000146667, 4.41e-8, 2.2e-7),
    "eu-north-1": Prices(0.0000133334, 3.23e-8, 2e-7),
    "eu-south-1": Prices(0.0000156138, 3.57e-8, 2.3e-7),
    "eu-west-1": Prices(0.0000133334, 3.4e-8, 2e-7),
    "eu-west-2": Prices(0.0000133334, 3.58e-8, 2e-7),
    "eu-west-3": Prices(0.0000133334, 3.58e-8, 2e-7),
    "sa-east-1": Prices(0.0000133334, 5.86e-8, 2e-7),
    "us-east-1": Prices(0.0000133334, 3.09e-8, 2e-7),
    "us-east-2": Prices(0.0000133334, 3.09e-8, 2e-7),
    "us-west-1": Prices(0.0000133334, 3.7e-8, 2e-7),
    "us-west-2": Prices(0.0000133334, 3.09e-8, 2e-7),
}


def is_priced(region: str) -> bool:
    """Return whether the prices of the region are known."""
    return region in PRICES


def estimate_cost_usd(*, region: str, memory_mb: int, billed_ms: float, invocations: float) -> float | None:
    """Return the cost of the invocations in US dollars, rounded to five decimals; None if the prices are unknown."""
    prices = PRICES.get(region)
    if prices is None:
        return None
    gb_s = billed_ms / MS_PER_S / MB_PER_GB
    return round(
        prices.memory * memory_mb * gb_s + prices.disk * CHARGED_DISK_MB * gb_s + prices.request * invocations, 5
    )


def in_usd(amount: float | None, currency: str, region: str) -> float | None:
    """Return an amount that the function has computed, which uses the prices of us-east-1 for an unknown region."""
    return max(0.0, amount) if amount is not None and currency == "USD" and is_priced(region) else None
