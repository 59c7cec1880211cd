"""Exit codes, standard output and standard error: what programs that call `fairtrial` rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from app.cli.errors import Refusal, failure_of
from app.cli.output import plain
from experiments.forms.problems import Invalid, Problem


def test_success_exits_with_0_and_nothing_on_standard_error(fairtrial):
    ran = fairtrial("calc srm 100 100")
    assert (ran.exit_code, ran.err) == (0, "")


def test_a_failed_check_exits_with_1(fairtrial, workspace):
    (workspace / "design.yaml").write_text("title: short\n")
    assert fairtrial("design check design.yaml").exit_code == 1


@pytest.mark.parametrize(
    "line",
    [
        "calc srm",  # no units
        "calc srm 1 two",
        "calc srm 1 2 --planned 1,x",
        "calc srm 1 2 --planned 1,2,3",
        "calc power --metric proportion --baseline 0.2 --mde 0.01 --alpha 2",
        "calc compare --proportions 7/5 1/2",
        "calc compare --proportions 1/5",
        "calc sequential --type nonesuch --alpha 0.05 --sides 2 --information 0.5,1",
        "design check no-such-file.yaml",
        "nonesuch",
        "calc nonesuch",
        "calc srm 1 2 --nonesuch",
    ],
)
def test_bad_usage_exits_with_2_and_says_why_once(fairtrial, line):
    ran = fairtrial(line)
    assert ran.exit_code == 2
    assert ran.out == ""
    assert ran.err.startswith("Error: ")
    with_json = fairtrial(line + " --json")
    assert with_json.exit_code == 2
    error = with_json.document["error"]
    assert (error["kind"], error["exit_code"]) == ("usage", 2)
    assert error["message"] in with_json.err


def test_a_group_without_a_command_prints_its_help_on_standard_error_and_is_bad_usage(fairtrial):
    for line in ("", "calc", "design"):
        ran = fairtrial(line)
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("Usage: fairtrial")


def test_every_problem_is_named_at_once(fairtrial):
    error = fairtrial("calc power --metric proportion --mde 0 --json").document["error"]
    named = " ".join(problem["message"] for problem in error["problems"])
    assert "--baseline: missing" in named
    assert "--mde: 0.0 is not allowed" in named


def test_a_statistic_s_parameter_is_named_as_the_option_that_was_typed(fairtrial):
    ran = fairtrial("calc power --metric mean --sd -3 --mde 1 --variance-reduction 2")
    assert ran.err.startswith("Error: --variance-reduction: 2.0 is not allowed")
    ran = fairtrial("calc power --metric proportion --baseline 0.2 --mde 0.9")
    assert ran.err.startswith("Error: --mde: 0.9 is not allowed")


def test_problems_of_a_file_keep_their_place_in_text_and_in_json(fairtrial, workspace):
    file = workspace / "design.yaml"
    file.write_text(file.read_text().replace("label_delay:", "label_dely:"))
    line = 1 + file.read_text().splitlines().index("label_dely: 1d                       # how long until an "
                                                   "outcome is surely in the log")  # fmt: skip
    ran = fairtrial("design check design.yaml --json")
    (problem,) = ran.document["error"]["problems"]
    assert (problem["file"], problem["line"], problem["path"]) == ("design.yaml", line, "label_dely")
    assert "Did you mean 'label_delay'?" in problem["message"]
    assert f"design.yaml:{line}: label_dely: " in ran.err


def test_an_unforeseen_error_is_a_fault_of_ours_with_its_own_exit_code(fairtrial, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("analysis.srm.srm_test", broken)
    ran = fairtrial("calc srm 1 2 --json")
    assert ran.exit_code == 70
    assert ran.document["error"]["kind"] == "fault"
    assert "Traceback" in ran.err


def test_a_refusal_of_the_registry_keeps_its_reasons(monkeypatch):
    from registry.errors import Problem as Objection
    from registry.errors import Refused, Unknown

    failure = failure_of(Refused([Objection("Not yet.", "tomorrow.", "Wait.")]))
    assert (failure.kind, failure.exit_code) == ("refused", 1)
    assert failure.problems[0]["when_possible"] == "tomorrow."
    assert "Not yet. Possible: tomorrow." in str(failure)
    assert failure_of(Unknown("experiment EXP-0009 is not known here")).exit_code == 1


def test_refusals_and_invalid_files_are_told_apart():
    assert failure_of(Refusal("no")).kind == "refused"
    invalid = failure_of(Invalid("catalogue", [Problem(("metrics", 0), "bad", 3, "m.yaml")]))
    assert (invalid.kind, str(invalid)) == (
        "invalid",
        "Error: catalogue: 1 problem\n  m.yaml:3: metrics[0]: bad",
    )


def test_json_has_no_infinity_and_refuses_what_is_not_a_number():
    assert plain({"ci": (-float("inf"), 1.0)}) == {"ci": [None, 1.0]}
    with pytest.raises(ValueError, match="not a number"):
        plain(float("nan"))
    with pytest.raises(TypeError, match="no form in JSON"):
        plain(object())


HEAVY = ("numpy", "scipy", "pandas", "duckdb", "pyarrow", "sqlalchemy", "altair", "streamlit", "statsmodels")


@pytest.mark.parametrize("line", ["--help", "calc --help", "calc srm --help", "design --help"])
def test_help_imports_nothing_heavy(line):
    """What keeps `fairtrial --help` below half a second: no command module imports a heavy library at its top."""
    code = (
        "import sys; from app.cli.main import run; run(sys.argv[1:]); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *line.split()], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_the_calculator_imports_no_frames_no_database_and_no_pages():
    code = (
        "import sys; from app.cli.main import run; run(['calc', 'srm', '10', '12', '--json']); "
        "heavy = ('pandas', 'duckdb', 'pyarrow', 'sqlalchemy', 'altair', 'streamlit', 'statsmodels'); "
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_stops_reading_is_no_error():
    command = f"{sys.executable} -c 'from app.cli.main import main; main()' design new | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("# A new model")
    assert done.stderr == ""


def test_a_terminal_that_cannot_write_thin_spaces_still_gets_an_answer():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    line = "calc mcnemar --both 9000 --candidate-only 40 --champion-only 35 --neither 25 --margin 0.02"
    for words in (line, f"{line} --json"):
        done = subprocess.run(
            [sys.executable, "-c", "from app.cli.main import main; main()", *words.split()],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert done.stderr == ""
        assert done.stdout.isascii()
    assert json.loads(done.stdout)["pairs"] == 9100


def test_the_version_is_printed(fairtrial):
    assert fairtrial("--version").out.startswith("fairtrial 0")
