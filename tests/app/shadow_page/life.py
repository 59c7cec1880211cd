"""A shadow's workspace at the stages of its life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.app.ladder_life import REASON, LadderLife
from tests.experiments.shadows import Traffic

LOOK_DUE = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class ShadowLife(LadderLife):
    """As `LadderLife`, without a rollout."""

    requests: int = 2_000

    def logged(self) -> ShadowLife:
        """The mirrored requests and their labels are there, and the look is due."""
        if self._first("logged"):
            (self.folder / "logs").mkdir(exist_ok=True)
            for name, frame in Traffic(requests=self.requests, users=700).frames().items():
                file = self.folder / "logs" / f"{name}.parquet"
                frame.to_parquet(file, coerce_timestamps="us", allow_truncated_timestamps=True)
            self.pass_to(LOOK_DUE)
        return self

    def due(self) -> ShadowLife:
        """Registered, and its look is due."""
        self.registered()
        return self.logged()

    def read_out(self) -> ShadowLife:
        """The look is taken and released."""
        self.due()
        if self._first("read out"):
            self.ok("shadow readout SHD-0001 --as mira")
        return self

    def signed(self) -> ShadowLife:
        self.read_out()
        if self._first("signed"):
            self.ok("decide SHD-0001 --approve --as dan --reason", REASON)
        return self
