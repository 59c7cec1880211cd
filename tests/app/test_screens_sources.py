"""Data sources: the list, one source, handing a file in; this process opens no log and keeps nothing of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import spool
from app.cli.session import open_workspace_registry
from app.overview.example_logs import example_log
from app.overview.logs import CLOSED
from app.settings import load_settings
from app.worker import Worker
from experiments.logs.upload_columns import ROLES
from registry import jobs
from registry.store import find_ledger
from tests.app.browsing import sent, served_to_this_machine, visit
from tests.app.life import Life
from tests.app.test_uploads import ASSIGNED, HAPPENED, SECRET, looked_over, result_of


def pressed(page: AppTest, label: str) -> AppTest:
    """The page after a button was pressed."""
    with served_to_this_machine():
        return next(button for button in page.button if button.label == label).click().run()


def chosen(page: AppTest, key: str, value: Any, kind: str = "radio") -> AppTest:
    with served_to_this_machine():
        return next(one for one in getattr(page, kind) if one.key == key).set_value(value).run()


def uploaded(page: AppTest, content: str, name: str = "file.csv") -> AppTest:
    with served_to_this_machine():
        return page.file_uploader[0].set_value((name, content.encode(), "text/csv")).run()


def work(folder: Path, kind: str = "source-check", entity: str = "main") -> None:
    with open_workspace_registry(load_settings(folder)) as registry:
        jobs.request(registry, "mira", kind, entity)
    Worker(folder).run(once=True)


def one(source: str = "main", person: str = "mira") -> AppTest:
    return visit("sources", person, {"source": source})


# The list and one source


def test_the_list_shows_each_source_with_its_last_check(at: Callable[[str], Life]) -> None:
    life = at("running")
    said = sent(visit("sources"))
    assert "[main](sources?source=main&act_as=mira) · not checked yet" in said
    work(life.folder)
    said = sent(visit("sources"))
    assert "[main](sources?source=main&act_as=mira) · ✓ no problem found" in said
    assert "<dt>Behind at the check</dt><dd>12 h</dd>" in said
    assert "on 3 Nov 2026</dd>" in said


def test_a_source_is_checked_by_the_worker_and_shown_without_a_value(at: Callable[[str], Life]) -> None:
    life = at("running")
    before = one()
    assert "not checked yet" in sent(before)
    asked = pressed(before, "Check the logs of main")
    assert "Waiting for a worker" in sent(asked)
    Worker(life.folder).run(once=True)
    after = one()
    said = sent(after)
    assert "no problem found" in said
    assert CLOSED in said
    assert '<th scope="row">assignments</th>' in said.replace('\\"', '"')
    assert '<th scope="row">outcomes_0</th>' in said.replace('\\"', '"')
    assert "Rows by arm as logged" in said
    assert "Events of outcomes_0, arms pooled" in said


def test_how_the_logs_come_in_is_drawn_and_said_pooled(at: Callable[[str], Life]) -> None:
    life = at("due")
    work(life.folder)
    said = sent(one())
    assert "rows have a unit that was assigned" in said
    assert "Rows by day" in said
    assert "of rows arrive" in said
    assert "How fresh the logs were" in said
    assert "At the last check" in said


def test_what_is_wrong_with_a_source_is_said_in_words(at: Callable[[str], Life]) -> None:
    life = at("running")
    text = Path("sources.yaml").read_text(encoding="utf-8").replace("arm: arm", "arm: variant")
    Path("sources.yaml").write_text(text, encoding="utf-8")
    work(life.folder)
    (said,) = [error.value for error in one().error]
    assert "variant" in said


def test_a_source_that_is_not_there_is_said_and_the_others_are_listed(at: Callable[[str], Life]) -> None:
    at("running")
    shown = one("mian")
    assert "names no source mian" in shown.error[0].value
    assert "[main](" in sent(shown)


def test_somebody_who_may_not_check_a_source_is_told_whom_to_ask(at: Callable[[str], Life]) -> None:
    at("running")
    refused = pressed(one(person="dan"), "Check the logs of main")
    assert "may check a source" in refused.error[0].value


def test_a_check_from_before_it_told_how_logs_come_in_is_still_shown(at: Callable[[str], Life]) -> None:
    life = at("running")
    work(life.folder)
    from sqlalchemy import update

    from registry.tables import jobs as table

    with open_workspace_registry(load_settings()) as registry, registry.writing() as connection:
        result = jobs.latest(registry, "main", "source-check").result  # type: ignore[union-attr]
        older = {
            **result,
            "logs": [{k: v for k, v in log.items() if k != "quality"} for log in result["logs"]],
        }
        connection.execute(update(table).values(result=older))
    assert "no problem found" in sent(one())


# Nothing yet


def test_without_a_sources_file_every_log_s_columns_and_an_example_of_each_are_there(
    at: Callable[[str], Life],
) -> None:
    at("running")
    Path("sources.yaml").unlink()
    shown = visit("sources")
    assert "There is no sources file yet" in shown.info[0].value
    assert [button.label for button in shown.download_button] == [
        "Download an example sources file",
        "Download an example of assignments (CSV)",
        "Download an example of exposures (CSV)",
        "Download an example of outcomes (CSV)",
    ]
    for table, roles in zip(shown.table, ROLES.values(), strict=True):
        assert [name.replace("\\", "") for name in table.value["Column"]] == [role.name for role in roles]


@pytest.mark.parametrize("kind", ROLES)
def test_each_example_file_is_one_that_can_be_added(at: Callable[[str], Life], kind: str) -> None:
    life = at("running")
    upload = spool.receive(life.folder, __import__("io").BytesIO(example_log(kind).encode()), ".csv", 1)
    found = result_of(looked_over(life, upload, kind))
    assert found["ok"], found["problems"]
    assert found["hidden_columns"] == 0


# Handing a file in


def test_a_file_goes_from_the_picker_to_the_source(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = pressed(visit("sources"), "Add a file to a source")
    assert "At most 200 MB" in sent(page)
    page = uploaded(page, ASSIGNED, "assigned.csv")
    assert "Looking the file over: Waiting for a worker" in sent(page)
    Worker(life.folder).run(once=True)
    check = page.query_params["upload"][0]
    page = visit("sources", query={"upload": check})
    said = sent(page)
    assert "Nothing is wrong with it. Nothing is saved yet." in said
    assert "ha••••••" in said
    assert "handed-1" not in said
    page = pressed(page, "Add it to main")
    assert "Adding the file: Waiting for a worker" in sent(page)
    Worker(life.folder).run(once=True)
    page = visit("sources", query={"upload": check})
    assert "✓ Added to assignments of main: 40 rows, as 1 file." in page.success[0].value
    assert "assigned.csv" in sent(one()).replace("\\", "")
    with open_workspace_registry(load_settings()) as registry:
        (record,) = find_ledger(registry, entity="main", action="add file")
    assert record.actor == "mira"


def test_nothing_of_a_file_stays_in_this_process(at: Callable[[str], Life]) -> None:
    at("running")
    page = visit("sources", query={"add": "main"})
    page = chosen(page, "sources.log", "outcomes")
    page = uploaded(page, HAPPENED)
    assert str(SECRET) not in str(page.session_state.to_dict())
    assert not page.file_uploader
    again = visit("sources", query={"add": "main"})
    assert again.file_uploader[0].value is None


def test_a_file_of_outcomes_shows_schema_and_counts_only(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = chosen(visit("sources", query={"add": "main"}), "sources.log", "outcomes")
    page = uploaded(page, HAPPENED)
    Worker(life.folder).run(once=True)
    said = sent(visit("sources", query={"upload": page.query_params["upload"][0]}))
    assert "of an outcome file no row, no value and no time is shown" in said
    assert "DOUBLE" in said
    for closed in ("7351", "handed-", "2026-11-02", "2 Nov 2026"):
        assert closed not in said


def test_columns_are_chosen_by_hand_and_looked_over_again_before_it_is_added(
    at: Callable[[str], Life],
) -> None:
    life = at("running")
    page = uploaded(visit("sources", query={"add": "main"}), ASSIGNED.replace("unit,arm", "who,which"))
    Worker(life.folder).run(once=True)
    check = page.query_params["upload"][0]
    page = visit("sources", query={"upload": check})
    assert "no column of the file is mapped to unit" in page.error[0].value
    assert next(button for button in page.button if button.label == "Add it to main").disabled
    for role, column in (("unit", "who"), ("arm", "which")):
        key = next(box.key for box in page.selectbox if box.label.startswith(role))
        page = chosen(page, key, column, "selectbox")
    page = pressed(page, "Look it over with these columns")
    Worker(life.folder).run(once=True)
    page = visit("sources", query={"upload": page.query_params["upload"][0]})
    assert "Nothing is wrong with it" in page.success[0].value
    assert not next(button for button in page.button if button.label == "Add it to main").disabled


def test_a_discarded_file_is_gone_and_nothing_was_saved(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = uploaded(visit("sources", query={"add": "main"}), ASSIGNED)
    Worker(life.folder).run(once=True)
    check = page.query_params["upload"][0]
    assert "file.csv for main" in sent(visit("sources"))
    pressed(visit("sources", query={"upload": check}), "Discard it")
    assert list(spool.spool_of(life.folder).iterdir()) == []
    assert "no longer waits here" in visit("sources", query={"upload": check}).info[0].value
    assert "file.csv for main" not in sent(visit("sources"))


def test_somebody_else_s_file_can_be_seen_and_neither_added_nor_discarded(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = uploaded(visit("sources", query={"add": "main"}), ASSIGNED)
    Worker(life.folder).run(once=True)
    page = visit("sources", "ola", {"upload": page.query_params["upload"][0]})
    assert "mira handed it in, and alone can add or discard it" in sent(page)
    for label in ("Add it to main", "Discard it", "Look it over with these columns"):
        assert next(button for button in page.button if button.label == label).disabled


@pytest.mark.parametrize("person", ["dan", "ola", "ada"])
def test_who_may_not_add_files_is_told_so_and_the_picker_takes_none(
    at: Callable[[str], Life], person: str
) -> None:
    at("running")
    page = visit("sources", person, {"add": "main"})
    assert "Only somebody with the role analyst or data steward may add a file" in page.info[0].value
    assert page.file_uploader[0].proto.disabled


def test_a_page_that_was_open_while_the_role_was_taken_keeps_nothing(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = visit("sources", query={"add": "main"})
    life.ok("people revoke mira analyst --as ada")
    page = uploaded(page, ASSIGNED)
    assert list(spool.spool_of(life.folder).rglob("*")) == []
    assert not page.exception


def test_a_new_source_is_named_before_the_picker_opens(at: Callable[[str], Life]) -> None:
    life = at("running")
    page = chosen(visit("sources", query={"add": ""}), "sources.to", "a new source")
    assert page.file_uploader[0].proto.disabled
    with served_to_this_machine():
        page = page.text_input(key="sources.name").set_value("Not good").run()
    assert "is not allowed" in page.error[0].value
    with served_to_this_machine():
        page = page.text_input(key="sources.name").set_value("handed").run()
    page = uploaded(page, ASSIGNED)
    Worker(life.folder).run(once=True)
    page = pressed(visit("sources", query={"upload": page.query_params["upload"][0]}), "Add it to handed")
    Worker(life.folder).run(once=True)
    assert "Data source handed" in one("handed").title[0].value


def test_a_file_that_is_too_large_or_of_another_kind_is_refused_in_words(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("running")
    monkeypatch.setenv("FAIRTRIAL_UPLOAD_LIMIT", "1")
    page = visit("sources", query={"add": "main"})
    assert "At most 1 MB" in sent(page)
    monkeypatch.setattr(spool, "_BLOCK", 1000)
    page = uploaded(page, ASSIGNED + "x" * 1_000_001)
    assert "larger than 1 MB" in page.error[0].value
    assert list(spool.spool_of(life.folder).iterdir()) == []


@pytest.mark.parametrize("which", ["999", "x", ""])
def test_a_file_that_nobody_handed_in_is_said_to_be_none(at: Callable[[str], Life], which: str) -> None:
    at("running")
    assert "No file was handed in under" in visit("sources", query={"upload": which}).error[0].value


def test_whether_a_plan_s_source_was_tested_lately_is_said_and_holds_nobody_up(
    at: Callable[[str], Life],
) -> None:
    life = at("running")
    life.ok("clone EXP-0001 --as mira")

    def review() -> AppTest:
        page = visit("register", query={"id": "EXP-0002"})
        with served_to_this_machine():
            return next(button for button in page.button if button.label[2:].startswith("9 ")).click().run()

    page = review()
    assert "The logs of source main have not been checked yet. A plan can be locked all the same" in sent(
        page
    )
    work(life.folder)
    assert "✓ The logs of source main were checked 0 min ago, and nothing was wrong with them." in sent(
        review()
    )
    life.ok("clock --advance 25h")
    assert "were checked 1 day 1 h ago" in sent(review())
    assert "Not tested lately" in sent(review())
