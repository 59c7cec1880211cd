"""The validity checks that block, at every look of many replays: the twin of ``experiments.readouts.validity``.

Allocation is tested over all units; days and attributes, which share its level in a readout, are not simulated.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri

from analysis.srm import SMALLEST_EXPECTED
from experiments.designs.design import Design
from experiments.readouts.validity import MISSINGNESS_SHARE, look_alpha
from experiments.simulation.pairs import Flags, Floats
from experiments.simulation.samples import Sample, deciding_measures


def allocation_fails(design: Design, units: Floats) -> Flags:
    """Pearson's chi-squared of the units of each look against the planned shares, at its share of the validity level."""
    level = (1 - MISSINGNESS_SHARE) * look_alpha(design)
    shares = np.array([float(arm.share) for arm in design.arms])
    expected = np.maximum(units.sum(axis=2, keepdims=True) * shares / shares.sum(), np.finfo(float).tiny)
    statistic = ((units - expected) ** 2 / expected).sum(axis=2)
    failed: Flags = statistic > chdtri(len(shares) - 1, level)
    return failed


def missingness_fails(design: Design, sample: Sample) -> Flags:
    """Pearson's chi-squared of missing and present units by arm, for each deciding metric at its share of the level.

    Where fewer than 5 are expected in a cell, an exact test stands in a readout, which hardly ever fails; here none does.
    """
    units, deciding = sample.units, deciding_measures(design)
    level = MISSINGNESS_SHARE * look_alpha(design) / len(deciding)
    failed: Flags = np.zeros(units.shape[:2], dtype=bool)
    for index in deciding:
        present = sample.with_value(index)
        if present is None:
            continue
        share = present.sum(axis=2, keepdims=True) / np.maximum(units.sum(axis=2, keepdims=True), 1)
        expected = np.stack([units * share, units * (1 - share)])
        usable = expected.min(axis=(0, 3)) >= SMALLEST_EXPECTED
        off = (np.stack([present, units - present]) - expected) ** 2
        statistic = np.divide(off, expected, out=np.zeros_like(off), where=expected > 0).sum(axis=(0, 3))
        failed |= usable & (statistic > chdtri(units.shape[2] - 1, level))
    return failed
