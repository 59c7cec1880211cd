"""Every example in the help of the registry commands runs, at the stage of a life at which somebody would type it."""

from __future__ import annotations

import shlex

import pytest

from app.overview.example_logs import example_log
from tests.app.life import DESIGN, METRICS
from tests.app.test_cli_documentation import EXAMPLES, runs_anywhere

STAGE_OF = {
    "people": "founded",
    "register": "founded",
    "review": "in_review",
    "clone": "registered",
    "amend": "registered",
    "assign": "running",
    "health": "running",
    "look": "running",
    "readout": "due",
    "readout EXP-0001 --verify": "read_out",
    "decide": "read_out",
    "stop": "running",
    "abandon": "running",
    "withdraw": "registered",
    "list": "running",
    "show": "running",
    "audit": "running",
    "clock": "founded",
    "pass": "founded",
    "watch": "watched",
    "worker": "running",
    "webhook": "founded",
    "metric": "founded",
    "source add": "running",
}
"""The stage before each command; the longest beginning counts."""

ELSEWHERE = (
    "init",
    "demo",
    "app",
    "people become-team",
    "people token revoke",
    "people require-tokens",
    "audit adopt-key",
    "shadow",
    "canary",
    "ladder",
)
"""Examples that other tests run: test_cli_init, test_demo, test_screens, test_cli_people, test_cli_tokens, test_cli_audit,
test_cli_ladder."""

LINES = [
    line
    for line in EXAMPLES
    if not runs_anywhere(line) and not line.removeprefix("fairtrial ").startswith(ELSEWHERE)
]


def test_every_registry_command_s_examples_have_their_stage():
    assert {line.split()[1] for line in LINES} == {name.split()[0] for name in STAGE_OF}


@pytest.mark.parametrize("line", LINES)
def test_the_example_runs_at_its_stage(fairtrial, at, line):
    words = line.removeprefix("fairtrial ")
    stage = STAGE_OF[max((name for name in STAGE_OF if words.startswith(name)), key=len)]
    life = at(stage)
    (life.folder / "amended.yaml").write_text(
        DESIGN + "anything_else: The platform is logged since Monday.\n"
    )
    (life.folder / "assignments.csv").write_text(example_log("assignments").replace("unit", "user_id"))
    if words.startswith(("amend EXP-0001 --approve", "amend EXP-0001 --reject")):
        proposed = next(other for other in LINES if "amended.yaml" in other)
        assert fairtrial("", *shlex.split(proposed)[1:]).exit_code == 0
    if words.startswith("webhook") and not words.startswith("webhook add"):
        added = next(other for other in LINES if "webhook add audit" in other)
        assert fairtrial("", *shlex.split(added)[1:]).exit_code == 0
    if words.startswith("metric"):
        named = METRICS.replace("name: success", "name: task_success")
        (life.folder / "metrics.yaml").write_text(named)
        life.ok("people add vera --role metric-steward --as ada")
    if words.startswith("metric unverify"):
        done = next(other for other in LINES if "metric verify" in other)
        assert fairtrial("", *shlex.split(done)[1:]).exit_code == 0
    ran = fairtrial("", *shlex.split(words))
    assert ran.exit_code == 0, ran.err
    assert ran.out
