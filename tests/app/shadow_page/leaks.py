"""Canaries in what models answered and in labels, and in every number that only they give."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.app.ladder_life import SHADOW
from tests.app.leaks import Canaries
from tests.app.shadow_page.life import ShadowLife

SAID = {1: "kestrel-perched", 0: "kestrel-hovering"}
"""What models answer and labels say, in words that stand nowhere else."""

MULTICLASS = SHADOW.replace("task: binary\nthreshold: 0.5\n", "task: multiclass\n")


def planted(life: ShadowLife) -> Canaries:
    """A shadow whose look is due, with canaries in its logs; and what must not come out of them."""
    life.founded()
    (life.folder / "shadow.yaml").write_text(MULTICLASS, encoding="utf-8")
    life.due()
    logs = life.folder / "logs"
    for name, column in (("predictions", "prediction"), ("labels", "label")):
        frame = pd.read_parquet(logs / f"{name}.parquet")
        frame[column] = frame[column].map(SAID)
        frame.to_parquet(logs / f"{name}.parquet", coerce_timestamps="us", allow_truncated_timestamps=True)
    return canaries_of(logs)


def canaries_of(logs: Path) -> Canaries:
    """Words of answers and labels, and the shares, counts and means that give the comparison away."""
    predictions = pd.read_parquet(logs / "predictions.parquet")
    label = pd.read_parquet(logs / "labels.parquet").set_index("request")["label"]
    wide = predictions.pivot_table(index="request", columns="model", values="prediction", aggfunc="first")
    right = wide.eq(label.reindex(wide.index), axis=0)
    numbers: dict[str, float | int] = {
        "share right of the champion": float(right["v3"].mean()),
        "share right of the candidate": float(right["v4"].mean()),
        "difference": float(right["v4"].mean() - right["v3"].mean()),
        "mean score": float(predictions["score"].mean()),
        "share that agree": float((wide["v3"] == wide["v4"]).mean()),
        "champion right": int(right["v3"].sum()),
        "candidate right": int(right["v4"].sum()),
    }
    telling = {name: one for name, one in numbers.items() if isinstance(one, int) or len(repr(one)) > 5}
    return Canaries.of(telling, {f"answer {value}": word for value, word in SAID.items()})
