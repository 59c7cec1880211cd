# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Validating a new model on live traffic
#
# A form reads a handwritten digit from a photo. Where the model is unsure it asks the user to type the digit; otherwise it files
# what it read. A new model wins offline. May it ship? Two real models, on scikit-learn's bundled scans, answer that in the
# order in which Fairtrial would have them asked: offline, in the shadow of the served model, and on users.
#
# The traffic is simulated, so that we know what is true of it; the models, their answers and all the statistics are real. The
# clock of the registry is simulated too, and everything in it says so for ever.

# %%
import hashlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import fairtrial as ft
from analysis.paired import PairedTable, mcnemar, paired_difference
from registry import lifecycle, looks, membership, shadowing
from registry.actors import Role
from registry.clock import SimulatedClock
from registry.errors import Refused
from registry.kinds import Choice
from registry.lifecycle import Exposure
from registry.plans import plan_to_register
from registry.store import open_registry
from registry.verification import verify

scans, digits = load_digits(return_X_y=True)
draw = np.random.default_rng(1)
train, offline, live = np.split(draw.permutation(len(digits)), [900, 1300])
champion = LogisticRegression(C=0.01, max_iter=2000).fit(scans[train], digits[train])
candidate = KNeighborsClassifier(n_neighbors=1).fit(scans[train], digits[train])
SURE = 0.8  # the share of certainty from which the champion files without asking

# %% [markdown]
# ## The offline win
#
# On 400 scans that neither model has seen the candidate reads 397 rightly, the champion 386. They are the same scans, so the
# comparison is paired: of the 13 on which just one model is right, 12 are the candidate's. That is 2.75 percentage points,
# 1.2 to 5.0 with 95 % confidence (Tango), and McNemar's exact p is 0.0034. Many teams would ship now.

# %%
table = PairedTable.of(
    candidate.predict(scans[offline]) == digits[offline], champion.predict(scans[offline]) == digits[offline]
)
test, gain = mcnemar(table, method="exact"), paired_difference(table, method="tango", level=0.95)
print(table)
assert (table.both + table.candidate_only, table.both + table.champion_only) == (397, 386)
assert (table.discordant, table.candidate_only) == (13, 12)
assert round(100 * gain.difference, 2) == 2.75
assert [round(100 * limit, 1) for limit in gain.ci] == [1.2, 5.0]
assert round(test.p_value, 4) == 0.0034

# %% [markdown]
# ## Shadow: what is logged
#
# Both models now score the same live requests; users only ever see the champion. Live photos are not the clean scans of the test
# set: they are noisier, more so from phones. Every request leaves a row a model (who asked, when, what was answered, how long it
# took, a hash of what the model was given) and, two days later, a label: what the number really was.


# %%
def photos(n: int) -> pd.DataFrame:
    """Live requests with what both models make of them. ``true`` is known to the simulation."""
    device = draw.choice(["phone", "tablet"], n, p=[0.7, 0.3])
    drawn = draw.choice(live, n)
    noise = draw.normal(0, np.where(device == "phone", 3.2, 2.4)[:, None], (n, 64))
    seen = np.clip(scans[drawn] + noise, 0, 16)
    certainty = champion.predict_proba(seen)
    return pd.DataFrame(
        {
            "device": device,
            "true": digits[drawn],
            "champion": certainty.argmax(axis=1),
            "certainty": certainty.max(axis=1),
            "candidate": candidate.predict(seen),
            "input_hash": [hashlib.sha256(one.tobytes()).hexdigest()[:16] for one in seen],
        }
    )


MONDAY = pd.Timestamp("2026-11-02", tz="UTC")
DAYS, USERS, REQUESTS = 14, 2_500, 9_000
mirrored = photos(REQUESTS)
mirrored["request"] = [f"r{i:05d}" for i in range(REQUESTS)]
mirrored["user"] = draw.integers(0, USERS, REQUESTS)
mirrored["at"] = MONDAY + pd.to_timedelta(np.sort(draw.uniform(0, DAYS * 86_400, REQUESTS)), unit="s")


def answers(model: str, version: str, typical_ms: float, late: float) -> pd.DataFrame:
    """What a model logs. How long it takes is drawn, so that the notebook says the same on every machine."""
    logged = mirrored[["request", "user", "device", "input_hash"]].copy()
    logged["model"], logged["answer"] = version, mirrored[model]
    logged["scored_at"] = mirrored["at"] + pd.to_timedelta(late, unit="s")
    logged["latency_ms"] = np.round(typical_ms * draw.lognormal(0, 0.35, REQUESTS), 3)
    return logged


predictions = pd.concat([answers("champion", "v1", 12, 0.0), answers("candidate", "v2", 19, 0.2)])
labels = pd.DataFrame(
    {
        "request": mirrored["request"],
        "label": mirrored["true"],
        "labelled_at": mirrored["at"] + pd.to_timedelta(draw.uniform(2, 46, REQUESTS), unit="h"),
    }
)
predictions.head(3)

# %% [markdown]
# ## Shadow: what is declared
#
# The design says before any label is read what will be compared, how much worse the candidate may be, on which devices that has
# to hold, and what it may cost in time. A reviewer locks it.

# %%
clock = SimulatedClock(datetime(2026, 11, 1, 9, tzinfo=UTC))
folder = Path(tempfile.mkdtemp())
registry = open_registry(str(folder / "registry.db"), clock=clock)
membership.found(registry, "ada", "Ada")
for person, role in (("mira", Role.ANALYST), ("ola", Role.REVIEWER), ("dan", Role.DECIDER)):
    membership.add_person(registry, "ada", person, person.title(), [role])


def locked(design: ft.Design | ft.ShadowDesign) -> str:
    """Registered by its owner, locked by the reviewer, before the first request."""
    entry = lifecycle.create_draft(registry, "mira", plan_to_register(design)).id
    lifecycle.submit(registry, "mira", entry, reviewer="ola")
    lifecycle.register(registry, "ola", entry, Exposure(None))
    return entry


plan = ft.declare_shadow(
    title="Nearest neighbour in the shadow of the logistic reader",
    hypothesis="The offline win holds on live photos, from phones as well",
    model="digit-reader",
    champion={"version": "v1"},
    candidate={"version": "v2"},
    task="multiclass",
    primary={
        "margin": 0.01,
        "reason": "one wrong digit more in a hundred is a call more in a thousand forms",
    },
    segments=[{"attribute": "device", "margin": 0.02, "reason": "phones may lag behind tablets, a little"}],
    limits=[
        {
            "measure": "latency_p95",
            "at_most": 50,
            "reason": "the form waits sixty milliseconds before it goes on",
        },
        {
            "measure": "agreement",
            "at_least": 0.8,
            "reason": "fewer and it is another product, not a better one",
        },
    ],
    minimum_labels=6_000,
    size={"requests_per_unit": 3.0},
    label_delay="2d",
    stopping={"minimum_duration": "14d"},
)
shadow = locked(plan)
print(shadow, plan.sha256[:12])


def complete_until(moment: pd.Timestamp) -> ft.PredictionSources:
    """The logs as they stood at a moment, with the word of whoever loads them that they are complete up to it."""
    columns = {"request": "request", "unit": "user", "scored_at": "scored_at", "model": "model"}
    columns |= {"prediction": "answer", "latency_ms": "latency_ms", "input_hash": "input_hash"}
    written = {
        "watermark": moment.isoformat(),
        "logs": [{"frame": "predictions", "columns": columns, "attributes": {"device": "device"}}],
        "labels": {
            "frame": "labels",
            "columns": {"request": "request", "label": "label", "labelled_at": "labelled_at"},
        },
    }
    frames = {
        "predictions": predictions[predictions["scored_at"] < moment],
        "labels": labels[labels["labelled_at"] < moment],
    }
    return ft.parse_prediction_sources(
        json.dumps({"predictions": {"main": written}}), ft.Place(frames=frames)
    )


# %% [markdown]
# ## Shadow: what is checked before any user is exposed
#
# On the second Monday seven of the fourteen days are in. What may be seen is whether the requests pair up, whether a model fails,
# and whether labels come. No answer and no label is read for it, and the look is refused.

# %%
clock.set(datetime(2026, 11, 9, 9, tzinfo=UTC))
half_way = ft.shadow_status(plan, complete_until(MONDAY + pd.Timedelta(days=7)), now=clock.now())
for check in half_way.checks:
    print(f"{check.result:5} {check.name}: {check.detail}")
refused = ""
try:
    shadowing.take(registry, "mira", shadow, complete_until(MONDAY + pd.Timedelta(days=7)))
except Refused as refusal:
    refused = str(refusal)
print(refused)
assert "is not due" in refused
assert all(check.result == "pass" for check in half_way.checks)

# %% [markdown]
# ## Shadow: the sealed look
#
# On 18 November the fortnight is in and its last labels have come. Answers and labels are read once, and what was found is sealed.
# The candidate is right more often on live photos too: by 4.2 percentage points, 3.7 to 4.8 with 95 % confidence, users being what
# is independent. It holds on phones, by 4.7, and on tablets, by 3.1. Everything declared is met; a decider who is neither owner
# nor reviewer approves.

# %%
clock.set(datetime(2026, 11, 18, 9, tzinfo=UTC))
seen = shadowing.take(registry, "mira", shadow, complete_until(MONDAY + pd.Timedelta(days=DAYS + 2)))
print(seen.verdict.code, "-", seen.verdict.sentence)
for condition in seen.gate:
    print(f"{condition.state:10} {condition.name}: {condition.detail}")
print(seen.verdict.paragraph)
signed = lifecycle.decide(
    registry, "dan", shadow, Choice.APPROVE, "Better on the same photos, on both devices, and fast enough."
)
assert (seen.verdict.code, signed.state.value) == ("PASS", "decided")
assert round(100 * seen.primary.estimate, 1) == 4.2
assert [round(100 * limit, 1) for limit in (seen.primary.interval.low, seen.primary.interval.high)] == [
    3.7,
    4.8,
]
by_device = {found.level: found.estimate for found in seen.segments[0].comparisons}
assert {device: round(100 * found, 1) for device, found in by_device.items()} == {"phone": 4.7, "tablet": 3.1}
assert all(condition.state == "holds" for condition in seen.gate)

# %% [markdown]
# What no shadow can tell stands in every readout of one:

# %%
for limit in seen.limits:
    print("-", limit)
assert any("Nobody saw what the candidate said" in limit for limit in seen.limits)

# %% [markdown]
# ## A/B: what is declared
#
# In the shadow nobody acted on what the candidate said. On users two things follow from an answer: whether they get through the
# form, and whether what is filed is true. The champion asks where it is unsure, which costs users and saves mistakes; the
# candidate is always sure. The primary is the share of forms completed; the share filed with a wrong digit is a guardrail, held
# against a margin. How many users that needs follows from the power: 7324, enrolled in two whole weeks, read once.

# %%
catalogue = ft.parse_catalogue(
    """
metrics:
  - {name: completed, version: 1, type: conversion, event: completed, direction: higher, window: 1d,
     meaning: the form was sent within a day, baseline: {mean: 0.93, source: the last quarter}}
  - {name: filed_wrong, version: 1, type: conversion, event: filed_wrong, direction: lower, window: 1d,
     meaning: the form was sent with a wrong digit, baseline: {mean: 0.01, source: an audit of the last quarter}}
"""
)
design = ft.declare(
    catalogue,
    title="Nearest neighbour against the logistic reader",
    hypothesis={"because": "fewer users are asked to type what they photographed", "expect": "increase"},
    arms=[{"name": "champion", "version": "v1"}, {"name": "candidate", "version": "v2"}],
    primary={"metric": "completed", "mde": {"absolute": 0.02}},
    guardrails=[
        {
            "metric": "filed_wrong",
            "margin": {"absolute": 0.01},
            "reason": "each wrong digit costs a call and a correction; one more in a hundred is what the team can carry",
        }
    ],
    label_delay="1d",
    power={"power": 0.9, "units_per_day": 600},
)
experiment = locked(design)
print(experiment, design.sha256[:12])
print(
    f"{design.plan.total} users, because of {design.plan.binding}; {design.minimum_duration // 86_400} days"
)
assert (design.plan.total, design.minimum_duration) == (7324, 14 * 86_400)

# %% [markdown]
# ## A/B: what happens to users
#
# A user who is asked to type the digit gives up one time in five, else one time in a hundred; whoever types mends nearly every
# mistake. That is the simulation's truth. The models' answers, and how sure they are, are their own.

# %%
THURSDAY = pd.Timestamp("2026-11-19", tz="UTC")
users = photos(600 * 14)
n = len(users)
users["user"] = [f"u{i:05d}" for i in range(n)]
users["arm"] = ft.Assignment(design.salt, (("champion", "1/2"), ("candidate", "1/2"))).arms_of(
    list(users["user"])
)
users["assigned_at"] = THURSDAY + pd.to_timedelta(np.sort(draw.uniform(0, 14 * 86_400, n)), unit="s")

new = users["arm"] == "candidate"
asked = ~new & (users["certainty"] < SURE)
right = np.where(new, users["candidate"], users["champion"]) == users["true"]
gives_up = draw.random(n) < np.where(asked, 0.2, 0.01)
mended = asked & (draw.random(n) < 0.97)
users["completed"], users["filed_wrong"] = ~gives_up, ~gives_up & ~right & ~mended
users["at"] = users["assigned_at"] + pd.to_timedelta(draw.uniform(20, 600, n), unit="s")
outcomes = users.melt(["user", "at"], ["completed", "filed_wrong"], var_name="event", value_name="happened")
outcomes = outcomes[outcomes["happened"].astype(bool)].drop(columns="happened")

COMPLETE = (THURSDAY + pd.Timedelta(days=16)).isoformat()
sources = ft.parse_sources(
    json.dumps(
        {
            "sources": {
                "main": {
                    "watermark": COMPLETE,
                    "assignments": {
                        "frame": "users",
                        "columns": {"unit": "user", "arm": "arm", "assigned_at": "assigned_at"},
                    },
                }
            }
        }
    ),
    ft.Place(frames={"users": users[["user", "arm", "assigned_at"]]}),
)
outcome_sources = ft.parse_outcome_sources(
    json.dumps(
        {
            "outcomes": {
                "main": {
                    "watermark": COMPLETE,
                    "logs": [
                        {
                            "frame": "outcomes",
                            "columns": {"unit": "user", "event": "event", "occurred_at": "at"},
                        }
                    ],
                }
            }
        }
    ),
    ft.Place(frames={"outcomes": outcomes}),
)

# %% [markdown]
# ## A/B: the verdict
#
# More forms are completed: 98.9 % against 93.8 %. But 3.5 % are filed with a wrong digit, against 0.8 %: 2.8 percentage points
# more where one was the most that the team could carry, and at least 2.2 with the declared confidence. DO NOT SHIP, whatever the
# primary says. The candidate makes fewer mistakes than the champion and lets more of them through, because it never asks. No
# test set could have told, and no shadow: in both, nobody was asked anything.

# %%
clock.set(datetime(2026, 12, 5, 9, tzinfo=UTC))
readout = looks.take(registry, "mira", experiment, sources, outcome_sources, folder / "extracts")
print(readout.verdict.code)
for check in readout.validity:
    print(f"{check.result:5} {check.name}: {check.detail}")
for found in (*readout.primary, *readout.guardrails):
    print(
        f"{found.label}: {found.estimate:+.4f}, {found.interval.low:+.4f} to {found.interval.high:+.4f}: {found.state}"
    )

completed, filed_wrong = readout.primary[0], readout.guardrails[0]
assert (readout.verdict.code, filed_wrong.state) == ("DO NOT SHIP", "Beyond margin")
assert all(check.result == "pass" for check in readout.validity)
shares = (
    completed.treatment_value,
    completed.control_value,
    filed_wrong.treatment_value,
    filed_wrong.control_value,
)
assert [round(100 * share.value, 1) for share in shares] == [98.9, 93.8, 3.5, 0.8]
assert [round(100 * value, 1) for value in (filed_wrong.estimate, filed_wrong.interval.low)] == [2.8, 2.2]

# %% [markdown]
# For whoever asks why a model that won offline, and won in the shadow, is not shipped:

# %%
print(readout.verdict.paragraph)
lifecycle.decide(
    registry, "dan", experiment, Choice.DO_NOT_SHIP, "It must learn to ask first: mistakes go out unseen."
)

# %% [markdown]
# Every act is in the ledger: what was declared, who locked it, the refused look, the two reads of outcomes, both decisions. Anybody
# can check that nothing was changed behind it.

# %%
checked = verify(registry)
print(checked.records, "records")
assert checked.ok
registry.close()
