"""`demo`: simulated live traffic with a known truth, declared experiments run on it, and verdict beside truth."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import Failure, Refusal
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Cell, Table, answer, note

if TYPE_CHECKING:
    from app.demo.script import Played

commands = typer.Typer()


@commands.command(epilog=examples("fairtrial demo", "fairtrial demo my-demo --replace"))
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", file_okay=False, help="Where it is played.")
    ] = Path("demo-output"),
    replace: Annotated[bool, typer.Option("--replace", help="Play it anew over an earlier demo.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play experiments and candidate models whose truth is known.

    Simulated live traffic, experiments declared and read out, verdict beside truth; then four candidates on the ladder, of
    which each ends where it should.

    It runs the same commands a person has, on a simulated clock, in about a minute. Exit code 1 if a verdict is not
    what the truth demands.
    """
    from app.demo.script import play_demo
    from app.demo.stage import LOG

    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / LOG).is_file():
            raise Refusal(f"{folder} holds something else than a demo; give another folder")
        if not replace:
            raise Refusal(
                f"{folder} holds an earlier demo; give --replace to play it anew, or another folder"
            )
        shutil.rmtree(folder)
    played = play_demo(folder, note)
    off = tuple(
        {"message": f"{one.experiment} {one.name}: {one.verdict}, expected {one.expected}"}
        for one in played.ended
        if not one.as_expected
    ) + tuple(
        {"message": f"{one.rollout} {one.model}: {one.ended}, expected {one.expected}"}
        for one in played.climbed
        if not one.as_expected
    )
    failure = Failure("refused", f"{len(off)} verdicts are not as expected", off, REFUSED) if off else None
    note("")
    answer(
        {
            "folder": str(folder),
            "experiments": [
                {
                    "id": one.experiment,
                    "name": one.name,
                    "story": one.story,
                    "truth": one.truth,
                    "expected": one.expected,
                    "verdict": one.verdict,
                    "as_expected": one.as_expected,
                }
                for one in played.ended
            ],
            "candidates": [asdict(one) for one in played.climbed],
            "commands": played.commands,
            "seconds": round(played.seconds, 1),
            "simulated": True,
        },
        lambda: _text(played),
        as_json=as_json,
        failure=failure,
    )


def _text(played: Played) -> list[str | Table]:
    rows: list[tuple[Cell, ...]] = [
        (
            one.experiment,
            one.story,
            one.truth,
            one.verdict or "none",
            "as expected" if one.as_expected else f"NOT AS EXPECTED: {one.expected}",
        )
        for one in played.ended
    ]
    climbed: list[tuple[Cell, ...]] = [
        (
            one.rollout,
            one.model,
            one.story,
            one.truth,
            one.ended,
            "as expected" if one.as_expected else f"NOT AS EXPECTED: {one.expected}",
        )
        for one in played.climbed
    ]
    folder = played.folder
    return [
        Table(("experiment", "what is true", "truth (primary)", "verdict", ""), rows, "Truth and verdict"),
        Table(
            ("rollout", "model", "candidate", "truth", "where it ended", ""),
            climbed,
            "Candidates on the ladder",
        ),
        f"{played.commands} commands in {played.seconds:.0f} s, on a simulated clock. To look at:",
        f"  {folder / 'readouts' / 'EXP-0001.html'}   each readout as HTML, Markdown and JSON",
        f"  {folder / 'demo.log'}   every command with its whole output",
        f"  {folder / 'logs' / 'truth.json'}   what the traffic was made with",
        f"  cd {folder} && fairtrial show EXP-0001   one experiment's whole life",
        f"  cd {folder} && fairtrial ladder show ROL-0001   a candidate's way, and what is served",
        f"Open the app: fairtrial app {folder}",
    ]
