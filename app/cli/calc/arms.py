"""Two arms as typed into the calculator: proportions or means, and the test that compares their kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from app.cli.calc.values import mean_sd_n, successes_of
from app.cli.errors import BadUsage, parameters

if TYPE_CHECKING:
    from analysis.effects import Effect
    from analysis.moments import Moments
    from analysis.proportions import Proportion, ScoreMethod

Alternative = Literal["two-sided", "greater", "less"]
ProportionInterval = Literal["score", "miettinen-nurminen", "newcombe", "agresti-caffo", "wald"]


class Arms(Protocol):
    """Two arms of one kind, and how that kind is compared."""

    @property
    def measured(self) -> str:
        """What an arm shows: its rate, its mean."""
        ...

    @property
    def unit(self) -> str:
        """What people read an effect in."""
        ...

    @property
    def factor(self) -> float:
        """From a number of the document into that unit."""
        ...

    @property
    def interval(self) -> str: ...

    def effect(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        """The deciding test of a difference."""
        ...

    def effect_on_ratio(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        """The deciding test of treatment / control − 1."""
        ...

    def shown_interval(self, alpha: float) -> tuple[float, float] | None:
        """An interval to show beside the deciding test; None where that test's own was asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Proportions:
    control: Proportion
    treatment: Proportion
    interval: ProportionInterval
    relative_interval: Literal["koopman", "log-delta"]
    measured: str = "rate"
    unit: str = " pp"
    factor: float = 100.0

    @property
    def _method(self) -> ScoreMethod:
        return "miettinen-nurminen" if self.interval == "miettinen-nurminen" else "score"

    def effect(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        from analysis.proportions import compare_proportions

        return compare_proportions(
            self.control,
            self.treatment,
            alpha=alpha,
            alternative=alternative,
            null=null,
            method=self._method,
            relative=self.relative_interval,
        )

    def effect_on_ratio(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        from analysis.proportions import compare_proportions_to_multiple

        return compare_proportions_to_multiple(
            self.control, self.treatment, 1 + null, alpha=alpha, alternative=alternative, method=self._method
        )

    def shown_interval(self, alpha: float) -> tuple[float, float] | None:
        from analysis.proportion_intervals import shown_interval

        if self.interval == "score" or self.interval == "miettinen-nurminen":
            return None
        if not (self.control.n and self.treatment.n):
            return None
        return shown_interval(self.control, self.treatment, self.interval, alpha=alpha)


@dataclass(frozen=True, slots=True)
class Means:
    control: Moments
    treatment: Moments
    relative_interval: Literal["log-delta", "fieller"]
    interval: str = "welch"
    measured: str = "mean"
    unit: str = ""
    factor: float = 1.0

    def effect(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        from analysis.effects import compare_means

        return compare_means(
            self.control,
            self.treatment,
            alpha=alpha,
            alternative=alternative,
            null=null,
            relative=self.relative_interval,
        )

    def effect_on_ratio(self, alpha: float, alternative: Alternative, null: float) -> Effect:
        from analysis.effects import compare_to_multiple

        return compare_to_multiple(
            self.control, self.treatment, 1 + null, alpha=alpha, alternative=alternative
        )

    def shown_interval(self, alpha: float) -> tuple[float, float] | None:  # noqa: ARG002
        return None


def arms_of(
    proportions: tuple[str, str] | None,
    means: tuple[str, str] | None,
    interval: ProportionInterval | None,
    relative_interval: Literal["koopman", "log-delta", "fieller"] | None,
) -> Arms:
    from analysis.moments import Moments
    from analysis.proportions import Proportion

    if proportions is not None and means is None:
        if relative_interval == "fieller":
            raise BadUsage("--relative-interval: fieller belongs to --means; give koopman or log-delta")
        with parameters({"successes": "--proportions"}):
            first, second = (Proportion(*successes_of(text)) for text in proportions)
        return Proportions(first, second, interval or "score", relative_interval or "koopman")
    if means is not None and proportions is None:
        if interval is not None:
            raise BadUsage(
                f"--interval: {interval} belongs to --proportions; means have Welch's; leave it out"
            )
        if relative_interval == "koopman":
            raise BadUsage("--relative-interval: koopman belongs to --proportions; give log-delta or fieller")
        with parameters({"n": "--means", "mean": "--means", "sd": "--means", "m2": "--means"}):
            moments = [mean_sd_n(text) for text in means]
            control, treatment = (Moments.from_sd(n, mean, sd) for mean, sd, n in moments)
        return Means(control, treatment, relative_interval or "log-delta")
    raise BadUsage("give exactly one of --proportions and --means")
