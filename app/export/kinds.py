"""The kinds of sealed readout that have forms."""

from __future__ import annotations

from experiments.canaries.readout import CanaryReadout
from experiments.readouts.readout import Readout
from experiments.shadows.readout import ShadowReadout

AnyReadout = Readout | ShadowReadout | CanaryReadout
