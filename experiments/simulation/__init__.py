"""Operating characteristics before launch: the whole rule of a design, replayed many times at once."""

from experiments.simulation.characteristics import Characteristics, Estimate, LookEndings
from experiments.simulation.simulating import Simulated, Simulation, simulate
from experiments.simulation.truths import Truth, truths_of

__all__ = [
    "Characteristics",
    "Estimate",
    "LookEndings",
    "Simulated",
    "Simulation",
    "Truth",
    "simulate",
    "truths_of",
]
