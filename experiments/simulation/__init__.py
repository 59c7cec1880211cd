"""Operating characteristics before launch: the whole rule of a design, replayed many times at once."""

from experiments.simulation.buckets import Buckets, scan
from experiments.simulation.characteristics import Characteristics, Estimate, LookEndings
from experiments.simulation.simulating import Replayed, Simulated, Simulation, replay_past, simulate
from experiments.simulation.truths import Truth, truths_of

__all__ = [
    "Buckets",
    "Characteristics",
    "Estimate",
    "LookEndings",
    "Replayed",
    "Simulated",
    "Simulation",
    "Truth",
    "replay_past",
    "scan",
    "simulate",
    "truths_of",
]
