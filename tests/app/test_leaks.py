"""Nothing that only outcomes hold leaves the app's process before its release: every page, role and stage.

What is looked for and where is in `tests.app.leaks`; a test at the end plants leaks and sees every one of them found.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
import streamlit as st
from sqlalchemy import inspect, text
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.screens import navigation
from app.screens.frame import Here, page
from app.screens.navigation import Screen
from app.settings import load_settings
from app.spool import spool_of
from app.worker import Worker
from experiments.logs.sources import load_sources
from registry import jobs
from registry.errors import Refused
from registry.looks import exposure_of
from registry.plans import saved_design
from registry.store import document, find_ledger, show
from tests.app.browsing import JOINED_LATER, PEOPLE, addresses, served_to_this_machine, visit
from tests.app.leaks import (
    VALUES,
    Canaries,
    Escape,
    canaries_of_sealed,
    outcomes_as_csv,
    plant,
    watching,
)
from tests.app.life import ID, START, Life
from tests.app.test_cli_sequential import SEQUENTIAL

BEFORE_RELEASE = ("founded", "in_review", "registered", "running", "due", "watched", "adjusted")
"""Stages in which no readout is released; a look that went on is a stage of its own below."""


@pytest.fixture(autouse=True)
def fresh_caches() -> None:
    """Other tests of this process have looked at released readouts of the same traffic."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def planted(at: Callable[[str], Life]) -> Callable[[str], tuple[Path, Canaries]]:
    """A workspace at a stage with canaries in its outcome logs, and with whatever the worker finds in them."""

    def go(stage: str) -> tuple[Path, Canaries]:
        life = at(stage)
        _invite(life)
        canaries = plant(life.folder)
        _work(life.folder)
        return life.folder, canaries

    return go


def _invite(life: Life) -> None:
    for person, role in JOINED_LATER.items():
        life.ok(f"people add {person} --role {role} --as ada")


def _work(folder: Path) -> None:
    """Everything that the worker may leave behind before a look."""
    with open_workspace_registry(load_settings(folder)) as registry:
        for kind in (jobs.Kind.HEALTH, jobs.Kind.LOOK_STATUS, jobs.Kind.WATCH):
            try:
                jobs.request(registry, "mira", kind, ID)
            except (Refused, LookupError):
                continue
        jobs.request(registry, "mira", jobs.Kind.SOURCE_CHECK, "main")
    Worker(folder).run(once=True)


def _visit_everything(escape: Escape, people: tuple[str, ...]) -> None:
    for person in people:
        for address, query in addresses():
            escape.where = f"{person} at /{address} {query}"
            shown = visit(address, person, query)
            assert not shown.exception, escape.where
            assert "Something went wrong" not in str([error.value for error in shown.error]), escape.where
            escape.page(shown)


EVERYBODY = pytest.param(tuple(PEOPLE), marks=pytest.mark.slow, id="everybody")
OWNER = pytest.param(("mira",), id="owner")


@pytest.mark.parametrize("people", [OWNER, EVERYBODY])
@pytest.mark.parametrize("stage", BEFORE_RELEASE)
def test_no_page_lets_out_what_outcomes_hold_before_the_release(planted, stage, people, monkeypatch, capsys):
    folder, canaries = planted(stage)
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        _visit_everything(escape, people)
    assert escape.messages > 100 * len(people)
    assert escape.found == []


@pytest.mark.parametrize("people", [OWNER, EVERYBODY])
def test_a_look_that_went_on_stays_closed_on_every_page(tmp_path, people, monkeypatch, capsys, fairtrial):
    """Its readout lies sealed in the registry, which these pages read."""
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    life.running()
    _invite(life)
    life.pass_to(START + timedelta(days=3))
    life.ok(f"readout {ID} --as mira")
    with open_workspace_registry(load_settings(tmp_path)) as registry:
        (look,) = show(registry, ID).looks
        canaries = canaries_of_sealed(json.loads(document(registry, str(look.readout_sha256))))
        records = [entry.seq for entry in find_ledger(registry, entity=ID)]
    assert look.outcome == "continue"
    _work(tmp_path)
    with watching(tmp_path, canaries, monkeypatch, capsys) as escape:
        _visit_everything(escape, people)
        for record in records[-6:]:
            escape.where = f"record {record}"
            escape.page(visit("audit", "ada", {"record": str(record)}))
    assert escape.found == []


def test_verifying_the_chain_lets_out_nothing(planted, monkeypatch, capsys):
    folder, canaries = planted("running")
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        shown = visit("audit", "ada")
        verify = next(button for button in shown.button if button.label == "Verify the chain")
        with served_to_this_machine():
            verify.click().run()
        assert "The record is whole" in shown.success[0].value
    assert escape.found == []


# Files handed in


class Kept:
    """Streamlit's stores of files that came in, all that were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stores: list[MemoryUploadedFileManager] = []
        made, stores = MemoryUploadedFileManager.__init__, self.stores

        def noted(store: MemoryUploadedFileManager, endpoint: str) -> None:
            made(store, endpoint)
            stores.append(store)

        monkeypatch.setattr(MemoryUploadedFileManager, "__init__", noted)

    @property
    def bytes(self) -> int:
        return sum(
            len(file.data)
            for store in self.stores
            for files in store.file_storage.values()
            for file in files.values()
        )


def _hand_in(content: str, person: str = "mira") -> AppTest:
    """Through the page, as an outcome file of main."""
    page = visit("sources", person, {"add": "main"})
    with served_to_this_machine():
        page.radio(key="sources.log").set_value("outcomes").run()
        return page.file_uploader[0].set_value(("outcomes.csv", content.encode(), "text/csv")).run()


def _everything_in(folder: Path) -> bytes:
    """Every row of the registry, documents too."""
    with open_workspace_registry(load_settings(folder)) as registry, registry.reading() as connection:
        tables = inspect(registry.engine).get_table_names()
        rows = [list(row) for table in tables for row in connection.execute(text(f'SELECT * FROM "{table}"'))]
    return json.dumps(rows, default=str).encode()


@pytest.mark.parametrize("people", [OWNER, EVERYBODY])
def test_a_file_of_outcomes_that_is_handed_in_lets_out_nothing(planted, people, monkeypatch, capsys):
    """Laid down, looked over, badly mapped, added: at each step every page, the worker's log and the registry are scanned.

    The file that waits is the worker's, and no cache of the app's process, which wrote it and never reads it: the kernel
    would tell.
    """
    folder, canaries = planted("running")
    content = outcomes_as_csv(folder)
    assert canaries.found_in("the file", content.encode())
    kept = Kept(monkeypatch)
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        page = _hand_in(content)
        assert not page.exception
        escape.page(page)
        check = page.query_params["upload"][0]
    assert (escape.found, kept.bytes) == ([], 0)
    (waiting,) = spool_of(folder).iterdir()
    assert canaries.found_in("what waits", waiting.read_bytes())
    said: list[str] = []
    Worker(folder, said.append).run(once=True)
    steps = [check]
    with open_workspace_registry(load_settings(folder)) as registry:
        asked = jobs.find(registry, int(check)).parameters
        for columns in ({"occurred_at": "note"}, {"value": "event", "unit": "value"}, {"event": "note"}):
            wrong = dict(asked) | {"columns": columns}
            steps.append(str(jobs.request(registry, "mira", jobs.Kind.UPLOAD_CHECK, "main", wrong).id))
    Worker(folder, said.append).run(once=True)
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        _visit_everything(escape, people)
        for person in people:
            for step in steps:
                escape.where = f"{person} at a file handed in, job {step}"
                escape.page(visit("sources", person, {"upload": step}))
    assert escape.found == []
    with open_workspace_registry(load_settings(folder)) as registry:
        jobs.request(registry, "mira", jobs.Kind.UPLOAD_COMMIT, "main", {"check": int(check)})
    Worker(folder, said.append).run(once=True)
    with open_workspace_registry(load_settings(folder)) as registry:
        assert find_ledger(registry, entity="main", action="add file")
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        _visit_everything(escape, people[:1])
        escape.page(visit("sources", "mira", {"upload": check}))
    assert escape.found == []
    assert canaries.found_in("the registry", _everything_in(folder)) == []
    assert canaries.found_in("the worker's log", "\n".join(said).encode()) == []


def keeps_the_file(uploaded: Any, folder: Path) -> None:
    st.session_state["kept"] = uploaded.getvalue()


def shows_its_size_in_rows(uploaded: Any, folder: Path) -> None:
    st.write(uploaded.getvalue().decode().splitlines()[1])


def reads_what_waits(uploaded: Any, folder: Path) -> None:
    spool_of(folder).mkdir(parents=True, exist_ok=True)
    (spool_of(folder) / "x.csv").write_bytes(uploaded.getvalue())
    (spool_of(folder) / "x.csv").read_bytes()


def lays_it_elsewhere(uploaded: Any, folder: Path) -> None:
    (folder / "copy.csv").write_bytes(uploaded.getvalue())


UPLOAD_LEAKS = {
    keeps_the_file: "session state kept",
    shows_its_size_in_rows: "message",
    reads_what_waits: "opened: .fairtrial/uploads/x.csv",
    lays_it_elsewhere: "file copy.csv",
}


@pytest.mark.parametrize("leak", UPLOAD_LEAKS, ids=lambda leak: leak.__name__)
def test_a_leak_of_a_file_that_is_handed_in_is_found(planted, leak, monkeypatch, capsys):
    folder, canaries = planted("running")
    content = outcomes_as_csv(folder)
    kept = Kept(monkeypatch)

    @page
    def leaking(here: Here) -> None:
        uploaded = st.file_uploader("File", key="file")
        if uploaded is not None:
            leak(uploaded, here.settings.folder)

    monkeypatch.setattr(navigation, "SECTIONS", {"Work": (Screen(leaking, "Leaking", "home", ""),)})
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        shown = visit("", "mira")
        with served_to_this_machine():
            shown.file_uploader[0].set_value(("outcomes.csv", content.encode(), "text/csv")).run()
        escape.page(shown)
    assert any(UPLOAD_LEAKS[leak] in one for one in escape.found), escape.found
    assert kept.bytes > 0  # this page forgets nothing


# Leaks, planted


def _mean(folder: Path) -> pd.DataFrame:
    files = [str(file) for file in (folder / "logs" / "outcomes").glob("dt=*/*.parquet")]
    rows = pd.concat([pq.read_table(file, partitioning=None).to_pandas() for file in files])
    return rows[rows["event"] == "done"].groupby("note", as_index=False)["value"].mean()


def says_a_mean(folder: Path) -> None:
    st.write(f"So far: {_mean(folder)['value'].iloc[0]:.2f}")


def hides_a_column(folder: Path) -> None:
    st.dataframe(_mean(folder).assign(arm="an arm"), column_order=["arm"])


def charts_a_column_it_does_not_draw(folder: Path) -> None:
    data = _mean(folder).assign(arm=["a", "b"], units=[1, 1])
    st.altair_chart(alt.Chart(data).mark_bar().encode(x="arm:N", y="units:Q"))


def keeps_it_in_the_session(folder: Path) -> None:
    st.session_state["kept"] = float(_mean(folder)["value"].iloc[0])


def logs_it(folder: Path) -> None:
    logging.getLogger("fairtrial.pages").info("mean %s", _mean(folder)["value"].iloc[0])


def shows_a_fourth_decimal(folder: Path) -> None:
    logged = pd.concat(
        [pq.read_table(f, partitioning=None).to_pandas() for f in folder.glob("logs/*/*/*.parquet")]
    )
    done = logged[logged["event"] == "done"]["unit"]
    arms = logged[logged["arm"].notna()].drop_duplicates("unit")
    st.write(f"{arms[arms['arm'] == 'control']['unit'].isin(done).mean():.4f}")


def prints_it(folder: Path) -> None:
    print(_mean(folder)["note"].iloc[0])


def writes_it_to_a_file(folder: Path) -> None:
    (folder / "scratch.txt").write_text(str(_mean(folder)["value"].iloc[0]), encoding="utf-8")


def caches_it(folder: Path) -> None:
    @st.cache_data
    def kept(where: str) -> float:
        return float(_mean(Path(where))["value"].iloc[0])

    kept(str(folder))


def offers_it_for_download(folder: Path) -> None:
    st.download_button("Numbers", lambda: _mean(folder).to_csv())


def counts_by_arm(folder: Path) -> None:
    with duckdb.connect() as engine:
        query = f"SELECT note, count(*) FROM '{folder}/logs/outcomes/*/*.parquet' GROUP BY note"
        counts = [n for _, n in engine.execute(query).fetchall()]
    st.metric("Events", f"{max(counts):,}")


LEAKS = {
    says_a_mean: "message",
    hides_a_column: "message",
    charts_a_column_it_does_not_draw: "message",
    keeps_it_in_the_session: "session state",
    logs_it: "log fairtrial.pages",
    shows_a_fourth_decimal: "message",
    prints_it: "standard output",
    writes_it_to_a_file: "file scratch.txt",
    caches_it: "cache",
    offers_it_for_download: "download Numbers",
    counts_by_arm: "message",
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_planted_leak_is_found(planted, leak, monkeypatch, capsys):
    folder, canaries = planted("running")

    @page
    def leaking(here: Here) -> None:
        leak(here.settings.folder)

    monkeypatch.setattr(navigation, "SECTIONS", {"Work": (Screen(leaking, "Leaking", "home", ""),)})
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        shown = visit("", "mira")
        assert not shown.exception
        assert not shown.error
        escape.page(shown)
    st.cache_data.clear()
    assert any(LEAKS[leak] in one for one in escape.found), escape.found
    assert any(one.startswith("opened: logs/outcomes") for one in escape.found)


def test_opening_any_log_is_found(planted, monkeypatch, capsys):
    """Assignments are no outcomes; that pages open no log at all is what keeps them from opening the wrong one."""
    folder, canaries = planted("running")

    @page
    def opening(here: Here) -> None:
        exposure_of(saved_design(show(here.registry, ID)), load_sources(here.settings.sources), None)

    monkeypatch.setattr(navigation, "SECTIONS", {"Work": (Screen(opening, "Opening", "home", ""),)})
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        visit("", "mira")
    assert any(one.startswith("opened: logs/assignments") for one in escape.found)


def test_opening_the_outcomes_file_is_found(planted, monkeypatch, capsys):
    folder, canaries = planted("running")

    @page
    def opening(here: Here) -> None:
        here.settings.outcomes.read_text(encoding="utf-8")

    monkeypatch.setattr(navigation, "SECTIONS", {"Work": (Screen(opening, "Opening", "home", ""),)})
    with watching(folder, canaries, monkeypatch, capsys) as escape:
        visit("", "mira")
    assert escape.found == ["opened: outcomes.yaml"]


def test_the_canaries_are_in_the_logs(planted):
    """A canary that is nowhere could not be found anywhere."""
    folder, _ = planted("running")
    assert sorted(round(value, 6) for value in _mean(folder)["value"]) == sorted(
        value for (_, event), value in VALUES.items() if event == "done"
    )
