"""docs/ladder.md says what the code does: its rollout passes the check and uses every field, its table is the model's own."""

from __future__ import annotations

import re
from pathlib import Path

from app.fields import fields_of
from app.templates import workspace_file
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import parse_document
from experiments.rollouts.ab_draft import ab_draft
from experiments.rollouts.design import parse_rollout
from experiments.rollouts.written import WrittenRollout
from registry.rollouts.messages import ROUTE
from tests.app.test_cli_documentation import _fields, _used

PAGE = (Path(__file__).parents[2] / "docs" / "ladder.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_documented_rollout_passes_the_check_and_opens_an_a_b() -> None:
    assert len(BLOCKS) == 1
    rollout = parse_rollout(BLOCKS[0])
    declared = rollout.written.rungs.ab.design | {"no_guardrails_reason": "there is no canary in this test"}
    ab = rollout.written.rungs.ab.model_copy(update={"design": declared})
    rollout.written = rollout.written.model_copy(
        update={"rungs": rollout.written.rungs.model_copy(update={"ab": ab})}
    )
    draft = ab_draft(rollout, parse_catalogue(workspace_file("metrics.yaml")), canary=None, handed=None)
    assert [arm.version for arm in draft.arms] == ["v3", "v4"]


def test_the_documented_rollout_uses_every_field_but_the_reasons_for_leaving_a_rung_out() -> None:
    used = set(_used(WrittenRollout, parse_document(BLOCKS[0], "documented rollout").body))
    assert set(_fields(WrittenRollout)) - used == {("LeftOut", "shadow"), ("LeftOut", "canary")}


def test_every_field_of_the_route_is_in_the_page() -> None:
    import inspect

    from registry.rollouts import messages

    named = set(re.findall(r'^        "(\w+)": ', inspect.getsource(messages.route_document), re.MULTILINE))
    implied = {"share_exact", "rung", "step", "state", "rollout", "model"}
    assert {name for name in named - implied if f"`{name}`" not in PAGE} == set()
    assert f"`{ROUTE}`" in PAGE


def test_the_table_of_fields_is_the_model_s_own() -> None:
    rows = [
        " | ".join((f"| `{field.path}`", field.allowed, field.default, field.meaning)).replace("  ", " ")
        + " |"
        for field in fields_of(WrittenRollout)
    ]
    assert PAGE.endswith(
        "\n\n" + "\n".join(["| field | may be | default | meaning |", "|---|---|---|---|", *rows]) + "\n"
    )
