"""The deciding tests that a design may declare for each type of metric."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.designs.metrics import Metric

TESTS: dict[str, tuple[str, ...]] = {
    "count": ("welch",),
    "sum": ("welch",),
    "mean": ("welch",),
    "proportion": ("score", "miettinen-nurminen", "welch"),
    "conversion": ("score", "miettinen-nurminen", "welch"),
    "retention": ("score", "miettinen-nurminen", "welch"),
    "ratio": ("delta",),
    "quantile": ("quantile",),
}
"""By type, the default first."""


def default_test(metric: Metric, covariates: Sequence[object]) -> str:
    """The deciding test when none is named; an adjusted proportion is tested as a mean."""
    return "welch" if covariates and metric.is_binary else TESTS[metric.type][0]
