"""The shadow gate at request level: how often it calls two equal models different, and passes one at the margin.

The rule runs twice. All replays go through a vectorised statistic written here from the papers' formulas; the first
of every row go through `analysis.paired` look by look as well, and one that differs ends the run.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from analysis.anytime.mixture import mixture_bound, mixture_precision
from analysis.paired import (
    ClusterMoments,
    DeclaredTest,
    PairDifference,
    PairedResult,
    at_any_look,
    at_declared_looks,
    at_one_look,
    users_needed,
)
from analysis.paired.anytime import log_e_value
from analysis.sequential import GroupSequentialDesign, group_sequential_design
from tests.guarantees.measuring import Share
from tests.guarantees.shadow_populations import Floats, Shadows, Users, drawn, drawn_by_day
from tests.guarantees.walking import DisagreementError

Flags = NDArray[np.bool_]

PLANNED, BURN_IN, BATCH, DAYS = 1_000, 100, 500, 28
ALPHA, ONE_SIDED, MARGIN = 0.05, 0.025, 0.02
ASYMPTOTIC: Final = 1.1
SENDING_PART, HABITS_PART = 0.1, 0.05

POPULATIONS: Final = (
    Users("one request each", None, 0.3, 0.0),
    Users("one request each, 3 % discordant", None, 0.03, 0.0),
    Users("1 to 500 requests, 1/m, users alike", 0.0, 0.1, 0.0),
    Users("1 to 500 requests, 1/m, three in ten strong", 0.0, 0.1, 0.3),
    Users("1 to 500 requests, 1/m², three in ten strong", 1.0, 0.3, 0.3),
    Users("1 to 500 requests, 1/m, a loss", 0.0, loss=True),
    Users("1 to 500 requests, 1/m², a loss", 1.0, loss=True),
)
STRONG_USERS, FEW_EFFECTIVE = POPULATIONS[3], POPULATIONS[6]
HEAVY: Final = Users(
    "1 to 500 requests, 1/m, a loss of heavy tails without a cap", 0.0, loss=True, heavy=True
)


@dataclass(frozen=True)
class Rule:
    """A stopping rule, counted in users.

    Attributes:
        boundary: of a group-sequential rule; None for one look, or any number of them.
        looks: shares of the planned users; empty for looks without end.
    """

    name: str
    words: str
    boundary: str | None
    looks: tuple[float, ...]

    def design(self, test: DeclaredTest) -> GroupSequentialDesign:
        if self.boundary is None:
            raise ValueError(f"{self.name} has no boundary")
        return group_sequential_design(self.boundary, test.alpha, self.looks, test.sides)

    def ends(self) -> NDArray[np.int64]:
        """Users counted at each look."""
        if not self.looks:
            return np.arange(BURN_IN, PLANNED + 1)
        return np.array([round(share * PLANNED) for share in self.looks])

    def critical(self, test: DeclaredTest, users: NDArray[np.int64]) -> Floats:
        if not self.looks:
            one_sided = test.sides == 1
            precision = mixture_precision(PLANNED, test.alpha, one_sided)
            bounds = [mixture_bound(n, test.alpha, precision, one_sided) / np.sqrt(n) for n in users.tolist()]
            return np.array(bounds)
        if self.boundary is None:
            return np.array([norm.isf(test.alpha / test.sides)])
        return np.array(self.design(test).critical)

    def judged(self, moments: ClusterMoments, test: DeclaredTest, look: int) -> PairedResult:
        """The same by the package, at the look of that number from 0."""
        comparison = PairDifference(moments)
        if not self.looks:
            return at_any_look(comparison, test, planned_users=PLANNED, burn_in=BURN_IN)
        if self.boundary is None:
            return at_one_look(comparison, test)
        return at_declared_looks(comparison, test, self.design(test), self.looks[: look + 1])


RULES: Final = (
    Rule("fixed", "100 %", None, (1.0,)),
    Rule("lan-demets-obf", "40, 70, 100 %", "lan-demets-obf", (0.4, 0.7, 1.0)),
    Rule("lan-demets-pocock", "20, 40, 60, 80, 100 %", "lan-demets-pocock", (0.2, 0.4, 0.6, 0.8, 1.0)),
    Rule(f"always-valid, burn-in {BURN_IN}", "after every user", None, ()),
)


@dataclass(frozen=True)
class Truth:
    """What is true, what is tested, and what counts as an error."""

    words: str
    difference: float
    test: DeclaredTest


TRUTHS: Final = (
    Truth("no difference: called better or worse", 0.0, DeclaredTest(ALPHA)),
    Truth("at the margin: passed", -MARGIN, DeclaredTest(ONE_SIDED, 1, "higher", MARGIN)),
)


@dataclass(frozen=True)
class ShadowError:
    """One row: how often the gate errs."""

    rule: str
    looks: str
    users: str
    truth: str
    nominal: float
    share: Share

    @property
    def name(self) -> str:
        return f"shadow, {self.rule}; {self.looks}; {self.users}; {self.truth}"


@dataclass(frozen=True)
class ShadowGate:
    """All that was measured of the shadow gate.

    Attributes:
        users_needed: as planned for the margin; ``power`` is what they have.
    """

    errors: tuple[ShadowError, ...]
    while_sending: tuple[ShadowError, ...]
    habits: tuple[ShadowError, ...]
    users_needed: int
    power: Share

    @property
    def broken(self) -> tuple[ShadowError, ...]:
        """Rows of what is offered that do not keep their bound, and the power where it is not what was planned."""
        rows = [one for one in (*self.errors, *self.while_sending) if not one.share.kept]
        if not self.power.kept:
            words = f"{self.users_needed:,} users as planned"
            rows.append(
                ShadowError("power", words, STRONG_USERS.words, "equal models: passed", 0.8, self.power)
            )
        return tuple(rows)


def shadow_gate(replays: int, walked: int, seed: int) -> ShadowGate:
    """Every row; those of users who still send, the habits and the power in a part of the replays.

    Raises:
        DisagreementError: a shadow that the package judges differently.
    """
    return ShadowGate(
        tuple(errors(replays, walked, seed)),
        tuple(errors_while_sending(replays, seed)),
        tuple(habits(replays, seed)),
        *power(replays, seed),
    )


def errors(replays: int, walked: int, seed: int) -> Iterator[ShadowError]:
    """Every rule, kind of users and truth, users complete when they are counted."""
    for users in POPULATIONS:
        for truth in TRUTHS:
            count = dict.fromkeys(RULES, 0)
            for start, shadows in _batches(users, truth, replays, seed):
                for rule in RULES:
                    flags = crossed(rule, truth.test, shadows)
                    count[rule] += int(flags.any(axis=1).sum())
                    if start == 0:
                        _walk(rule, truth.test, shadows, flags, min(walked, len(flags)))
            for rule, found in count.items():
                bound = truth.test.alpha * ASYMPTOTIC
                yield ShadowError(
                    rule.name,
                    rule.words,
                    users.words,
                    truth.words,
                    truth.test.alpha,
                    Share(found, replays, bound),
                )


def errors_while_sending(replays: int, seed: int) -> Iterator[ShadowError]:
    """Users counted with what they have sent so far, a look as soon as its users have come, or every day."""
    replays = max(20, round(SENDING_PART * replays))
    for truth in TRUTHS:
        random = _random(f"sending {truth.words}", seed)
        count = dict.fromkeys(RULES[1:], 0)
        for _ in range(replays):
            days = drawn_by_day(STRONG_USERS, truth.difference, PLANNED, DAYS, random)
            users = np.array([int((day.pairs > 0).sum()) for day in days])
            z = np.array([float(_z(day, truth.test)[-1]) for day in days])
            for rule in RULES[1:]:
                at = _days_of(rule, users)
                flags = _beyond(z[at], rule.critical(truth.test, users[at]), truth.test)
                count[rule] += int(flags.any())
        for rule, found in count.items():
            words = rule.words if rule.looks else f"daily, {DAYS} days"
            bound = truth.test.alpha * ASYMPTOTIC
            yield ShadowError(
                rule.name,
                words,
                f"{STRONG_USERS.words}, still sending",
                truth.words,
                truth.test.alpha,
                Share(found, replays, bound),
            )


def habits(replays: int, seed: int) -> Iterator[ShadowError]:
    """The same users and no difference, by tests that take requests for independent, or need more effective users."""
    replays, truth = max(20, round(HABITS_PART * replays)), TRUTHS[0]
    exact = anytime = 0
    for _, shadows in _batches(STRONG_USERS, truth, replays, seed):
        candidate = ((shadows.discordant + shadows.differences.astype(np.int64)) // 2).cumsum(axis=1)
        champion = shadows.discordant.cumsum(axis=1) - candidate
        for b, c in zip(candidate, champion, strict=True):
            exact += binomtest(int(b[-1]), int(b[-1] + c[-1])).pvalue < ALPHA
            looks = zip(b[BURN_IN - 1 :: 10].tolist(), c[BURN_IN - 1 :: 10].tolist(), strict=True)
            anytime += any(log_e_value(x, y, 1.0, "two-sided") > -np.log(ALPHA) for x, y in looks)
    found = [
        ("exact McNemar by request", "100 %", STRONG_USERS, int(exact)),
        ("anytime McNemar by request", "after every tenth user", STRONG_USERS, int(anytime)),
    ]
    for rule in (RULES[0], RULES[2]):
        critical = rule.critical(truth.test, rule.ends())
        count = sum(
            int((np.abs(_linearised_z(shadows, rule.ends())) > critical).any(axis=1).sum())
            for _, shadows in _batches(FEW_EFFECTIVE, truth, replays, seed)
        )
        found.append((f"linearised by user, {rule.name}", rule.words, FEW_EFFECTIVE, count))
    for name, looks_at, users, count in found:
        share = Share(count, replays, ALPHA)
        yield ShadowError(name, looks_at, users.words, truth.words, ALPHA, share)
    yield _heavy_tails(replays, seed)


def _heavy_tails(replays: int, seed: int) -> ShadowError:
    """The gate's own test of a loss that few users make, just at the margin."""
    rule, truth = RULES[0], TRUTHS[1]
    count = sum(
        int(crossed(rule, truth.test, shadows).any(axis=1).sum())
        for _, shadows in _batches(HEAVY, truth, replays, seed)
    )
    share = Share(count, replays, truth.test.alpha)
    return ShadowError(
        "clustered score, fixed", rule.words, HEAVY.words, truth.words, truth.test.alpha, share
    )


def power(replays: int, seed: int) -> tuple[int, Share]:
    """Users asked for by `users_needed` for the margin, and how often equal models then pass at one look."""
    users, test = STRONG_USERS, TRUTHS[1].test
    sizes = users.requests((200_000,), _random("sizes", seed))
    needed = users_needed(
        users.discordant,
        margin=MARGIN,
        pairs_per_user=float(sizes.mean()),
        pairs_cv=float(sizes.std() / sizes.mean()),
        correlation=users.correlation,
    ).users
    replays, random, passed = max(20, round(SENDING_PART * replays)), _random("power", seed), 0
    for start in range(0, replays, BATCH):
        shadows = drawn(users, 0.0, (min(BATCH, replays - start), needed), random)
        passed += int((_z(shadows, test)[:, -1] > norm.isf(test.alpha)).sum())
    return needed, Share(passed, replays, 0.8, at_least=True)


def crossed(rule: Rule, test: DeclaredTest, shadows: Shadows) -> Flags:
    """By shadow and look, whether the test rejects."""
    ends = rule.ends()
    return _beyond(_z(shadows, test)[:, ends - 1], rule.critical(test, ends), test)


def _z(shadows: Shadows, test: DeclaredTest) -> Floats:
    """Obuchowski's statistic after every user (Yang, Sun & Hardin 2010): Σr / √(Σr² · K/(K − 1)), above 0 where better.

    Of right and wrong it is never beyond Tango's (1998) statistic of the same pairs, whose null variance per pair is
    2q + δ(1 − δ), q the likeliest share of pairs that the champion alone gets right, by Tango's equation 6.
    """
    residuals = shadows.differences - test.null * shadows.pairs
    counted = np.maximum((shadows.pairs > 0).cumsum(axis=-1), 2)
    squares = (residuals**2).cumsum(axis=-1) * counted / (counted - 1)
    if shadows.counts:
        squares = np.maximum(squares, _tangos_variance(shadows, test.null))
    total = residuals.cumsum(axis=-1)
    return test.towards_better * np.where(squares > 0, total / np.sqrt(np.where(squares > 0, squares, 1)), 0)


def _tangos_variance(shadows: Shadows, null: float) -> Floats:
    pairs, won = np.maximum(shadows.pairs.cumsum(axis=-1), 1), shadows.differences.cumsum(axis=-1)
    discordant = shadows.discordant.cumsum(axis=-1)
    candidate, champion = (discordant + won) / 2 / pairs, (discordant - won) / 2 / pairs
    b = (2 - candidate + champion) * null - candidate - champion
    c = -champion * null * (1 - null)
    q = np.clip((np.sqrt(np.maximum(b * b - 8 * c, 0)) - b) / 4, max(0.0, -null), (1 - null) / 2)
    return np.asarray(pairs * (2 * q + null * (1 - null)))


def _linearised_z(shadows: Shadows, ends: NDArray[np.int64]) -> Floats:
    """The delta method's statistic at some looks: total over the residuals at the ratio found."""
    found = []
    for end in ends.tolist():
        d, n = shadows.differences[:, :end], shadows.pairs[:, :end]
        residuals = d - (d.sum(axis=1) / n.sum(axis=1))[:, None] * n
        found.append(d.sum(axis=1) / np.sqrt((residuals**2).sum(axis=1) * end / (end - 1)))
    return np.array(found).T


def _beyond(z: Floats, critical: Floats, test: DeclaredTest) -> Flags:
    found: Flags = (np.abs(z) if test.sides == 2 else z) > critical
    return found


def _days_of(rule: Rule, users: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days from 0 at which looks are taken: when their users have come, the last on the last day; or all from the burn-in."""
    if not rule.looks:
        return np.flatnonzero(users >= BURN_IN)
    due = [int(np.argmax(users >= share * PLANNED)) for share in rule.looks[:-1]]
    return np.array([*due, len(users) - 1])


def _walk(rule: Rule, test: DeclaredTest, shadows: Shadows, flags: Flags, walked: int) -> None:
    for replay in range(walked):
        for look, end in enumerate(rule.ends().tolist()):
            if not rule.looks and end % 50:
                continue
            moments = ClusterMoments.of_sums(shadows.differences[replay, :end], shadows.pairs[replay, :end])
            if shadows.counts:
                moments = replace(moments, discordant=int(shadows.discordant[replay, :end].sum()))
            found = rule.judged(moments, test, look)
            said = found.better or (test.sides == 2 and found.worse)
            if said != bool(flags[replay, look]):
                raise DisagreementError(f"{rule.name}: replay {replay}, look {look + 1}: rejects {said}")


def _batches(users: Users, truth: Truth, replays: int, seed: int) -> Iterator[tuple[int, Shadows]]:
    random = _random(f"{users.words} {truth.words}", seed)
    for start in range(0, replays, BATCH):
        yield start, drawn(users, truth.difference, (min(BATCH, replays - start), PLANNED), random)


def _random(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))
