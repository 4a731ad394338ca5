"""What a confirm says of distillation: against the twin, and against the same network alone."""

from dataclasses import replace

from nas_kd.confirm.confirmation import verdict_of
from nas_kd.confirm.finalists import ALONE, BEST, TWIN, Finalist
from nas_kd.intervals import Estimate
from tests.conftest import record

LARGEST = f"largest cnn{ALONE}"
FOUND = record()
TAUGHT = Finalist.of(BEST, FOUND)
WITHOUT = replace(TAUGHT, role=TWIN, settings={**FOUND.settings, "alpha": 0.0})
SAME = replace(WITHOUT, role=LARGEST).with_rate(0.005)
OTHER = replace(SAME, config=replace(FOUND.config, channels=(4, 4)))

SURE, UNSURE = Estimate(0.03, 0.01, 0.05), Estimate(0.0, -0.01, 0.01)


def said(largest: Finalist, over_twin: Estimate, over_largest: Estimate, *others: Finalist) -> str:
    students = {one.role: one for one in (TAUGHT, WITHOUT, largest, *others)}
    differences = {TWIN: over_twin, LARGEST: over_largest}
    return verdict_of(students, lambda _, role: differences[role], LARGEST, "parameters").sentences[
        0
    ]


def test_a_gain_over_the_twin_alone_is_said_to_be_one() -> None:
    gained = "Distillation gained 3.0 points (1.0 to 5.0) at 100 parameters."
    alone = "the same network alone with other settings, cnn 3-4 (largest cnn, alone),"
    none = f"But no difference to {alone} was found (+0.0 points, -1.0 to +1.0)."
    assert said(SAME, SURE, UNSURE) == f"{gained} {none}"
    better = f"But {alone} is better by 3.0 points (1.0 to 5.0)."
    assert said(SAME, SURE, SURE.reversed()) == f"{gained} {better}"
    again = replace(SAME, role="trial 1")
    assert said(SAME, SURE, UNSURE, again) == f"{gained} {none}"
    assert said(SAME, SURE, SURE) == gained
    assert said(OTHER, SURE, UNSURE) == gained
    assert "But" not in said(SAME, UNSURE, UNSURE)
