"""Whatever is changed with plain SQL behind the registry's back is found, and the first broken record is named."""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from experiments.designs.metrics import Metric
from registry import ledger, lifecycle, membership, stewardship, store, tokens, webhooks
from registry.actors import Role
from registry.acts import act
from registry.casebook import Pick
from registry.casework import judge_case
from registry.database import Registry
from registry.errors import LedgerKeyError
from registry.ledger import Entry
from registry.lifecycle import Choice
from registry.records import Verdict
from registry.tables import VOUCHED, properties
from registry.tables import ledger as ledger_table
from registry.verification import Verification, verify
from tests.experiments.shadows import Traffic, laboratory
from tests.registry.climbing import Climb
from tests.registry.reviewing import Reviewing

LONG_REASON = (
    "Because the reason has to be long enough for a stranger to follow, and long enough for two. " * 2
)
KEY = b"a key of thirty-two bytes or more, kept outside"


@pytest.fixture
def life(team: Any) -> Any:
    """A team with experiments in many states: every vouched table has rows."""
    layer = {"assignment.layer": {"name": "search", "start": "0", "end": "1/2"}}
    team.running(team.plan(**layer))
    released = team.readout(Verdict.INCONCLUSIVE)
    lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, LONG_REASON)
    lifecycle.approve_decision(team.registry, "eve", released.id, LONG_REASON)
    with act(team.registry, "ada", "set a property", "registry") as doing:
        doing.role = Role.ADMIN
        doing.insert(properties, {"name": "colour", "value": "blue"})
        doing.summary = "So that the table of properties has a row to be changed."
    tokens.create(team.registry, "mira", "laptop")
    webhooks.add_webhook(team.registry, "ada", "team", "https://example.org/hook", secret_variable="SECRET")
    membership.grant_role(team.registry, "ada", "vic", Role.METRIC_STEWARD)
    metric = Metric(name="success", version=1, type="conversion", event="done", direction="higher")
    stewardship.verify_metric(team.registry, "vic", metric, "It was compared with the team's own count.")
    Climb(team.registry, team.clock).in_shadow()
    reviewing = Reviewing(
        team.registry, team.clock, laboratory({"minimum_labels": 40}, Traffic(requests=120))
    )
    judge_case(team.registry, "ola", reviewing.drawn()[0], 1, Pick.A, "It answers the question.")
    assert verify(team.registry).ok
    return team


def run(engine: Engine, sql: str, **values: Any) -> int:
    with engine.begin() as connection:
        return int(connection.execute(text(sql), values).rowcount)


def broken(registry: Registry) -> Verification:
    result = verify(registry)
    assert not result.ok
    assert result.findings
    return result


def reseal(engine: Engine, first: int, key: bytes | None = None, **changes: Any) -> None:
    """Do what a capable intruder does: change a record and recompute every hash from there on."""
    with engine.begin() as connection:
        rows = connection.execute(ledger_table.select().order_by(ledger_table.c.seq)).mappings().all()
        previous = rows[first - 2]["hash"] if first > 1 else ledger.GENESIS
        for row in rows[first - 1 :]:
            values = dict(row) | {"prev_hash": previous} | (changes if row["seq"] == first else {})
            body = Entry(**values).sealed_bytes()
            seal = hmac.new(key, body, hashlib.sha256) if key else hashlib.sha256(body)
            previous = values["hash"] = seal.hexdigest()
            where = ledger_table.c.seq == row["seq"]
            connection.execute(ledger_table.update().where(where).values(**values))


# The first line of defence


@pytest.mark.parametrize("table", ["ledger", "documents", "plans"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_database_itself_refuses_to_change_what_is_written(life: Any, table: str, verb: str) -> None:
    column = {"ledger": "summary", "documents": "body", "plans": "locked_by"}[table]
    sql = f"UPDATE {table} SET {column} = 'x'" if verb == "UPDATE" else f"DELETE FROM {table}"
    with pytest.raises(Exception, match="append-only"), life.registry.writing() as connection:
        connection.execute(text(sql))
    assert verify(life.registry).ok


# Records of the ledger

OTHER_VALUES: dict[str, Any] = {
    "at": "2026-01-01T00:00:00.000000Z",
    "simulated": False,
    "actor": "mallory",
    "role": "Guest",
    "action": "approve",
    "entity": "EXP-0099",
    "version": 99,
    "summary": "Nothing happened.",
    "reason": "None of your business.",
    "detail": '{"changes":[],"facts":{}}',
    "key_id": "0123456789abcdef",
    "prev_hash": "1" * 64,
    "hash": "2" * 64,
    "seq": 1000,
}


def test_there_is_another_value_for_each_column_of_the_ledger() -> None:
    assert OTHER_VALUES.keys() == set(ledger_table.columns.keys())
    assert tuple(ledger_table.columns.keys()) == Entry.__slots__


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_an_edit_of_any_column_of_any_record_is_found(
    life: Any, behind_its_back: Engine, column: str
) -> None:
    count = store.head(life.registry).count
    for seq in range(1, count + 1):
        with behind_its_back.begin() as connection:
            read = text(f'SELECT "{column}" FROM ledger WHERE seq = :seq')
            before = connection.execute(read, {"seq": seq}).scalar_one()
            change = text(f'UPDATE ledger SET "{column}" = :value WHERE seq = :seq')
            connection.execute(change, {"value": OTHER_VALUES[column], "seq": seq})
        assert broken(life.registry).first_broken == seq
        with behind_its_back.begin() as connection:
            back = OTHER_VALUES["seq"] if column == "seq" else seq
            connection.execute(change, {"value": before, "seq": back})
    assert verify(life.registry).ok


def test_an_optional_column_that_is_emptied_is_found(life: Any, behind_its_back: Engine) -> None:
    assert run(behind_its_back, "UPDATE ledger SET reason = NULL WHERE action = 'decide'") == 1
    (entry,) = store.find_ledger(life.registry, action="decide")
    assert broken(life.registry).first_broken == entry.seq


@pytest.mark.parametrize("seq", [1, 5, 12])
def test_a_deleted_record_is_found(life: Any, behind_its_back: Engine, seq: int) -> None:
    run(behind_its_back, "DELETE FROM ledger WHERE seq = :seq", seq=seq)
    assert broken(life.registry).first_broken == seq


def test_a_deleted_record_whose_successors_moved_up_is_found(life: Any, behind_its_back: Engine) -> None:
    count = store.head(life.registry).count
    run(behind_its_back, "DELETE FROM ledger WHERE seq = 5")
    for seq in range(6, count + 1):
        run(behind_its_back, "UPDATE ledger SET seq = :new WHERE seq = :old", new=seq - 1, old=seq)
    assert broken(life.registry).first_broken == 5


def test_two_records_that_changed_places_are_found(life: Any, behind_its_back: Engine) -> None:
    for old, new in ((7, 1000), (8, 7), (1000, 8)):
        run(behind_its_back, "UPDATE ledger SET seq = :new WHERE seq = :old", new=new, old=old)
    assert broken(life.registry).first_broken == 7


def test_an_inserted_record_is_found(life: Any, behind_its_back: Engine) -> None:
    run(
        behind_its_back,
        "INSERT INTO ledger SELECT 0, at, simulated, actor, role, action, entity, version, summary, reason, detail, "
        "key_id, prev_hash, 'x' FROM ledger WHERE seq = 3",
    )
    assert broken(life.registry).first_broken == 0


@pytest.mark.parametrize("left", [0, 1, 10])
def test_a_cut_tail_is_found_by_the_anchor(life: Any, behind_its_back: Engine, left: int) -> None:
    run(behind_its_back, "DELETE FROM ledger WHERE seq > :left", left=left)
    result = broken(life.registry)
    assert any("The ledger was cut" in finding.what for finding in result.findings)
    assert any(finding.seq == left + 1 for finding in result.findings)


def test_a_tail_cut_with_the_rows_it_vouched_for_is_found_by_the_anchor_alone(
    team: Any, behind_its_back: Engine
) -> None:
    before = store.head(team.registry).count
    draft = team.draft()
    run(behind_its_back, "DELETE FROM ledger WHERE seq > :left", left=before)
    run(behind_its_back, "DELETE FROM experiments WHERE id = :id", id=draft.id)
    run(behind_its_back, "DELETE FROM documents")
    result = broken(team.registry)
    assert [finding.seq for finding in result.findings] == [before + 1]
    assert result.first_broken == before + 1


def test_a_rewritten_tail_with_fitting_hashes_is_found_by_the_anchor(
    life: Any, behind_its_back: Engine
) -> None:
    reseal(behind_its_back, 9, summary="Nothing happened.")
    result = broken(life.registry)
    assert result.first_broken == 9
    assert "anchor" in result.findings[0].what


def test_a_record_rewritten_with_a_fitting_hash_of_its_own_no_longer_fits_the_next(
    life: Any, behind_its_back: Engine
) -> None:
    with behind_its_back.begin() as connection:
        row = connection.execute(ledger_table.select().where(ledger_table.c.seq == 9)).mappings().one()
        other = dict(row) | {"summary": "Nothing happened."}
        other["hash"] = hashlib.sha256(Entry(**other).sealed_bytes()).hexdigest()
        connection.execute(ledger_table.update().where(ledger_table.c.seq == 9).values(**other))
    assert broken(life.registry).first_broken == 9
    life.registry.anchor.unlink()
    result = broken(life.registry)
    assert result.first_broken == 10
    assert "does not follow record 9" in result.findings[0].what


def test_without_an_anchor_or_key_a_rewritten_tail_is_not_found(life: Any, behind_its_back: Engine) -> None:
    # Not a wish, but what the documentation has to say: a chain of plain hashes has no secret.
    reseal(behind_its_back, 9, summary="Nothing happened.")
    life.registry.anchor.unlink()
    assert verify(life.registry).ok


# What the ledger vouches for

OTHER_ROW_VALUES = {
    bool: lambda value: not value,
    int: lambda value: value + 7,
    str: lambda value: f"{value[:-1]}#",
}


def test_an_edit_of_any_column_of_any_table_is_found(life: Any, behind_its_back: Engine) -> None:
    tried = 0
    for table in VOUCHED:
        with behind_its_back.begin() as connection:
            row = connection.execute(table.select()).mappings().first()
        assert row is not None, f"no row of {table.name} to try"
        key = {column.name: row[column.name] for column in table.primary_key}
        for name, value in row.items():
            if name in key:
                continue
            other: Any = "x"
            if isinstance(value, dict | list):
                other = {"other": 1}
            elif value is not None:
                other = OTHER_ROW_VALUES[type(value)](value)
            elif table.c[name].type.python_type is int:
                other = 7
            where = [table.c[column] == part for column, part in key.items()]
            with behind_its_back.begin() as connection:
                connection.execute(table.update().where(*where).values({name: other}))
            what = " ".join(finding.what for finding in broken(life.registry).findings)
            assert table.name in what.lower() or "Document" in what
            with behind_its_back.begin() as connection:
                connection.execute(table.update().where(*where).values({name: value}))
            tried += 1
    assert tried > 60
    assert verify(life.registry).ok


@pytest.mark.parametrize("table", [table.name for table in VOUCHED])
def test_a_deleted_row_is_found_and_the_record_that_vouches_for_it_named(
    life: Any, behind_its_back: Engine, table: str
) -> None:
    assert run(behind_its_back, f"DELETE FROM {table}") > 0
    result = broken(life.registry)
    assert all("the row is gone" in finding.what for finding in result.findings)
    assert result.first_broken is not None


def test_a_state_moved_forward_behind_its_back_is_named_with_both_values(
    life: Any, behind_its_back: Engine
) -> None:
    run(behind_its_back, "UPDATE experiments SET state = 'decided' WHERE id = 'EXP-0001'")
    result = broken(life.registry)
    (started,) = store.find_ledger(life.registry, entity="EXP-0001", action="start")
    assert result.first_broken == started.seq
    assert 'state is "decided"; by the ledger' in result.findings[0].what
    assert '"running"' in result.findings[0].what


def test_a_removed_label_is_found(life: Any, behind_its_back: Engine) -> None:
    run(behind_its_back, "UPDATE experiments SET labels = '[]' WHERE id = 'EXP-0001'")
    assert "labels" in broken(life.registry).findings[0].what


def test_a_role_granted_behind_its_back_is_found(life: Any, behind_its_back: Engine) -> None:
    run(behind_its_back, "INSERT INTO roles VALUES ('mira', 'Decider', 'ada', '2026-01-01T00:00:00.000000Z')")
    result = broken(life.registry)
    assert "no record speaks of it" in result.findings[0].what
    assert result.first_broken is None


def test_a_role_that_was_taken_away_and_put_back_behind_its_back_is_found(
    life: Any, behind_its_back: Engine
) -> None:
    membership.revoke_role(life.registry, "ada", "lou", Role.LOOK_COMMITTEE)
    run(
        behind_its_back,
        "INSERT INTO roles VALUES ('lou', 'Look committee', 'ada', '2026-01-01T00:00:00.000000Z')",
    )
    (entry,) = store.find_ledger(life.registry, action="revoke role")
    assert broken(life.registry).first_broken == entry.seq


def test_a_plan_edited_behind_its_back_is_found_by_its_hash(life: Any, behind_its_back: Engine) -> None:
    shown = store.show(life.registry, "EXP-0001")
    weaker = json.dumps(shown.draft | {"window": 1})
    run(
        behind_its_back, "UPDATE documents SET body = :b WHERE sha256 = :s", b=weaker, s=shown.plans[0].sha256
    )
    result = broken(life.registry)
    assert f"Document {shown.plans[0].sha256} was edited" in " ".join(f.what for f in result.findings)


def test_a_sealed_readout_swapped_for_another_is_found(life: Any, behind_its_back: Engine) -> None:
    sealed = store.show(life.registry, "EXP-0002").looks[0].readout_sha256
    other = hashlib.sha256(b"{}").hexdigest()
    run(behind_its_back, "INSERT INTO documents VALUES (:s, 'readout', 2, '{}')", s=other)
    for table in ("looks", "experiments", "decisions"):
        run(
            behind_its_back,
            f"UPDATE {table} SET readout_sha256 = :s WHERE readout_sha256 = :o",
            s=other,
            o=sealed,
        )
    found = " ".join(finding.what for finding in broken(life.registry).findings)
    assert "looks" in found
    assert "decisions" in found
    assert "no record speaks of it" in found


def test_a_column_that_no_longer_holds_one_of_its_values_is_found_not_stumbled_over(
    life: Any, behind_its_back: Engine
) -> None:
    if behind_its_back.dialect.name != "sqlite":
        pytest.skip("Postgres keeps to its column types")
    run(behind_its_back, "UPDATE experiments SET labels = 'not json'")
    assert "cannot be read" in " ".join(finding.what for finding in broken(life.registry).findings)


# The key


@pytest.fixture
def keyed(url: str, tmp_path: Path, clock: Any, plan: Callable[..., Any]) -> Iterator[Registry]:
    """A keyed registry whose anchor is lost: the key alone has to tell."""
    with store.open_registry(url, clock=clock, key=KEY, anchor=tmp_path / "anchor") as opened:
        membership.found(opened, "uma", "Uma", one_person=True)
        lifecycle.create_draft(opened, "uma", plan())
        (tmp_path / "anchor").unlink()
        result = verify(opened)
        assert (result.ok, result.keyed) == (True, True)
        yield opened


def test_with_a_key_a_rewritten_tail_is_found(keyed: Registry, behind: Callable[[Registry], Engine]) -> None:
    reseal(behind(keyed), 2, summary="Nothing happened.")
    assert broken(keyed).first_broken == 2


def test_with_a_key_a_ledger_rewritten_without_it_is_found(
    keyed: Registry, behind: Callable[[Registry], Engine]
) -> None:
    run(behind(keyed), "UPDATE ledger SET key_id = NULL")
    reseal(behind(keyed), 1)
    result = broken(keyed)
    assert result.first_broken == 1
    assert "not sealed with the key" in result.findings[0].what


@pytest.mark.parametrize("claims_the_key", [True, False])
def test_with_a_key_a_record_added_at_the_end_is_found(
    keyed: Registry, behind: Callable[[Registry], Engine], claims_the_key: bool
) -> None:
    with behind(keyed).begin() as connection:
        last = (
            connection.execute(ledger_table.select().order_by(ledger_table.c.seq.desc())).mappings().first()
        )
        assert last is not None
        added = dict(last) | {"seq": last["seq"] + 1, "prev_hash": last["hash"], "summary": "One of mine."}
        added["key_id"] = last["key_id"] if claims_the_key else None
        added["hash"] = hashlib.sha256(Entry(**added).sealed_bytes()).hexdigest()
        connection.execute(ledger_table.insert().values(**added))
    assert broken(keyed).first_broken == added["seq"]


def test_without_its_key_a_keyed_ledger_is_not_called_whole(keyed: Registry, url: str, clock: Any) -> None:
    with store.open_registry(url, clock=clock) as without:
        result = broken(without)
        assert "no key is set" in result.findings[0].what
        with pytest.raises(LedgerKeyError, match="no key is set"):
            membership.leave_one_person_mode(without, "uma")
    with store.open_registry(url, clock=clock, key=KEY[::-1]) as other:
        assert "the key that is set is" in broken(other).findings[0].what
        with pytest.raises(LedgerKeyError, match="the key that is set is"):
            membership.leave_one_person_mode(other, "uma")
    assert verify(keyed).ok


def test_a_key_adopted_later_vouches_for_the_records_before_it(
    life: Any, url: str, clock: Any, behind: Callable[[Registry], Engine]
) -> None:
    with store.open_registry(url, clock=clock, key=KEY) as opened:
        with pytest.raises(LedgerKeyError, match="adopt it once"):
            lifecycle.create_draft(opened, "mira", life.plan())
        assert "no record adopts it" in broken(opened).findings[0].what
        membership.adopt_key(opened, "ada")
        lifecycle.create_draft(opened, "mira", life.plan())
        assert verify(opened).ok
        reseal(behind(opened), 3, summary="Nothing happened.")
        assert not verify(opened).ok


def test_a_key_that_is_easily_guessed_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        store.open_registry(url, key=b"secret")


def test_the_key_may_come_from_the_environment_or_a_file(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    monkeypatch.setenv("FAIRTRIAL_LEDGER_KEY_FILE", str(file))
    with store.open_registry(url) as opened:
        assert opened.key == KEY
        assert KEY.decode() not in repr(opened)
    monkeypatch.setenv("FAIRTRIAL_LEDGER_KEY", "k" * 40)
    with store.open_registry(url) as opened:
        assert opened.key == b"k" * 40


# The anchor


def test_an_anchor_that_lags_is_fine_and_counted(team: Any) -> None:
    lines = team.registry.anchor.read_text().splitlines(keepends=True)
    team.registry.anchor.write_text("".join(lines[:-3]))
    result = verify(team.registry)
    assert (result.ok, result.unwitnessed) == (True, 3)


def test_an_anchor_whose_lines_came_in_another_order_is_fine(team: Any) -> None:
    lines = team.registry.anchor.read_text().splitlines(keepends=True)
    team.registry.anchor.write_text("".join(reversed(lines)))
    result = verify(team.registry)
    assert (result.ok, result.unwitnessed) == (True, 0)


def test_an_anchor_line_that_cannot_be_read_is_named(team: Any) -> None:
    with team.registry.anchor.open("a") as anchor:
        anchor.write('{"count": 3, "he\n')
    assert "line 10 of the anchor cannot be read" in broken(team.registry).findings[0].what


def test_an_anchor_of_another_registry_is_told_apart(team: Any) -> None:
    text_ = team.registry.anchor.read_text()
    team.registry.anchor.write_text(text_.replace('"head":"', '"head":"0'))
    assert broken(team.registry).first_broken == 1


def test_an_anchor_that_cannot_be_opened_stops_the_act_before_it_is_saved(team: Any, tmp_path: Path) -> None:
    before = store.head(team.registry)
    moved = dataclasses.replace(team.registry, anchor=tmp_path / "no such folder" / "anchor")
    with pytest.raises(OSError, match="no such folder"):
        lifecycle.create_draft(moved, "mira", team.plan())
    assert store.head(team.registry) == before


def test_every_record_is_witnessed_once(life: Any) -> None:
    lines = [json.loads(line) for line in life.registry.anchor.read_text().splitlines()]
    end = store.head(life.registry)
    assert [line["count"] for line in lines] == list(range(1, end.count + 1))
    assert lines[-1]["head"] == end.hash
