"""Measure the guarantees of every stopping rule offered, and write them down.

    python -m tests.guarantees [--replays N] [--walked N] [--by-user N] [--seed S] [--write docs/guarantees.md]

Ends with 1 when a rule offered breaks its bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.guarantees.document import document
from tests.guarantees.results import Sizes, measured

REPLAYS, WALKED, BY_USER, SEED = 40_000, 15, 2_000, 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replays", type=int, default=REPLAYS, help="of every row")
    parser.add_argument("--walked", type=int, default=WALKED, help="replays taken through their readouts")
    parser.add_argument(
        "--by-user", type=int, default=BY_USER, help="of the coverage by user; 0 leaves it out"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", type=Path, help="the document; without it, it is printed")
    asked = parser.parse_args()
    began = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", file=sys.stderr)

    found = measured(Sizes(asked.replays, asked.walked, asked.by_user, asked.seed), progress)
    command = (
        f"python -m tests.guarantees --replays {asked.replays} --walked {asked.walked} --by-user {asked.by_user} "
        f"--seed {asked.seed} --write docs/guarantees.md"
    )
    text = document(found, command)
    if asked.write is None:
        print(text)
    else:
        asked.write.write_text(text, encoding="utf-8")
    progress("done")
    for one in found.broken:
        print(f"BROKEN  {one}", file=sys.stderr)
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
