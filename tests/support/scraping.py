"""Parses `/metrics` responses as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]


def samples_of(text: str) -> Samples:
    """Return the value of each series, named as PromQL does, labels in the order of their names."""
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _series(name: str, labels: dict[str, str]) -> str:
    chosen = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
    return f"{name}{{{chosen}}}" if chosen else name
