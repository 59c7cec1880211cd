"""Steps 1 and 2: what is asked, and who is assigned to what."""

from __future__ import annotations

from app.drafting.questions import Group, Question, Step

QUESTION = Step(
    1,
    "Question",
    "What do you want to find out?",
    (
        Question(
            "title",
            "What changes, for whom?",
            example="Ranker v7 against v6 for signed-in search",
            hint="In 10 to 120 characters.",
        ),
        Question(
            "background",
            "What is different between the arms?",
            prose=True,
            example="v7 adds the last ten clicks to the ranking features; nothing else differs.",
            hint="In words a stranger understands.",
        ),
        Question(
            "purpose",
            "What does the primary metric have to show?",
            words={
                "superiority": "that the change is better",
                "non-inferiority": "that the change is not worse by more than a margin (migrations, cost savings)",
            },
            hint="",
        ),
        Question(
            "hypothesis.because",
            "Why should it work?",
            prose=True,
            example="v7 puts the result people want higher, so fewer give up",
            hint="One sentence: we expect this because …",
        ),
        Question(
            "hypothesis.expect",
            "What will the primary metric do?",
            hint="One metric, one direction.",
            blank="Choose",
        ),
        Question(
            "hypothesis.population",
            "For whom?",
            example="signed-in users of web search",
            hint="Left empty: all eligible units.",
        ),
        Question("team", "Team", more=True),
        Question(
            "owner",
            "Owner",
            more=True,
            hint="Who answers for it; left empty, you. Another name hands the draft over.",
        ),
        Question("links", "Links", more=True, hint="Tickets and documents, separated by commas."),
        Question("tags", "Tags", more=True, hint="To find it again, separated by commas."),
        Question("expected_start", "Expected start", more=True, example="2026-12-07"),
        Question("rollback", "How do we undo this, and who does?", more=True, prose=True, hint=""),
    ),
)


UNITS = Step(
    2,
    "Units & arms",
    "Who is assigned to what?",
    (
        Question(
            "units.randomisation",
            "What is assigned to an arm?",
            example="user",
            hint="User, session, store … Left empty: user.",
        ),
        Group(
            "arms",
            "arm",
            (
                Question(
                    "arms[].name",
                    "Name in the logs",
                    example="candidate",
                    hint="Small letters, digits and _.",
                ),
                Question("arms[].share", "Share", hint="50% or 1/2. Left empty: equal shares."),
                Question("arms[].version", "Model or flag version", example="ranker-v7", hint="Or its hash."),
                Question("arms[].description", "Description", more=True, hint="For people."),
            ),
            most=20,
            least=2,
            in_row=True,
            hint="The first arm is control. Shares are planned: the allocation check compares against them.",
        ),
        Question(
            "assignment.exposure",
            "When could the arms first differ for a unit?",
            words={
                "assignment": "at its assignment",
                "exposures": "at its first row in the exposures log",
            },
            hint="Units count from this moment on.",
        ),
        Group(
            "eligibility",
            "condition",
            (
                Question(
                    "eligibility[].attribute",
                    "Attribute known before assignment",
                    example="platform",
                    hint="",
                ),
                Question("eligibility[].is", "is", hint=""),
                Question("eligibility[].is_not", "is not", more=True, hint=""),
                Question("eligibility[].one_of", "is one of", hint="Separated by commas."),
                Question("eligibility[].none_of", "is none of", more=True, hint="Separated by commas."),
                Question("eligibility[].at_least", "is at least", hint=""),
                Question("eligibility[].below", "is below", more=True, hint=""),
            ),
            most=10,
            more=True,
            hint="Who can enter. Nothing that the treatment could change; all conditions hold, each says one thing.",
        ),
        Question("units.analysis", "What is averaged over?", more=True),
        Question("assignment.key", "Key in the logs", more=True),
        Question(
            "assignment.method",
            "Who assigns?",
            more=True,
            words={
                "fairtrial": "Fairtrial's hash, which can be audited",
                "external": "assignment made elsewhere",
            },
        ),
        Question("assignment.salt", "Salt of the hash", more=True),
        Question(
            "assignment.layer.name",
            "Layer",
            more=True,
            hint="Experiments in one layer can exclude one another.",
        ),
        Question("assignment.layer.start", "From this part of the layer", more=True),
        Question("assignment.layer.end", "To this part of the layer", more=True),
    ),
)
