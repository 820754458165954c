"""PromQL over the metrics of the service."""

from __future__ import annotations

from cluster.panels import Query
from deployments.instruments import Instrument

APPLICATION = 'application="scriptorium"'
QUANTILES = (0.5, 0.95, 0.99)


def rate(instrument: Instrument, labels: str = "", by: str = "") -> str:
    """Growth of a counter each second, summed over replicas."""
    return _sum(f"rate({instrument.series}{{{labels}}}[$__rate_interval])", by)


def quantile(share: float, instrument: Instrument, labels: str = "") -> str:
    """A quantile of a histogram over all replicas."""
    buckets = _sum(f"rate({instrument.series}_bucket{{{labels}}}[$__rate_interval])", "le")
    return f"histogram_quantile({share}, {buckets})"


def mean(instrument: Instrument, labels: str = "", by: str = "") -> str:
    """Mean of a histogram over all replicas."""
    part = [
        _sum(f"rate({instrument.series}_{each}{{{labels}}}[$__rate_interval])", by)
        for each in ("sum", "count")
    ]
    return " / ".join(part)


def _sum(expression: str, by: str) -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def quantiles(instrument: Instrument, labels: str = "") -> list[Query]:
    return [Query(quantile(share, instrument, labels), f"p{share * 100:g}") for share in QUANTILES]
