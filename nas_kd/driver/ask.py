"""Asking: each proposal is written with all that is known of it before it is trained."""

import json
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nas_kd.costs.budgets import COSTS
from nas_kd.driver.context import Scene
from nas_kd.space.sample import distributions
from nas_kd.space.sampler import propose_all
from nas_kd.space.space import Sample
from nas_kd.students.decode import cost, counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.database import asked
from nas_kd.study.record import latest


def propose_missing(scene: Scene, places: Sequence[int]) -> None:
    """Write those of the asked trials that are not proposed yet, by their places among the asked.

    The sampler sees a student that went on once, as it ended.
    """
    known = scene.ledger.trials()
    missing = [place for place in places if place >= len(asked(known))]
    if not missing:
        return
    searched = distributions(scene.space)
    seen = {identity(t.user_attrs): t.number for t in reversed(known) if t.state != TrialState.FAIL}
    proposed = propose_all(latest(known), missing, scene.space)
    for number, (_, sample) in enumerate(proposed, len(known)):
        config = scene.space.student(sample)
        facts = attributes(scene, config) | {"settings": settings(sample)}
        key = identity(facts)
        if key in seen:
            facts["duplicate_of"] = seen[key]
        seen.setdefault(key, number)
        scene.ledger.propose({name: sample[name] for name in searched}, searched, facts)


def propose_again(scene: Scene, trial: FrozenTrial) -> None:
    """Write that a stopped trial goes on, as a trial of its own with the same student."""
    facts = {k: v for k, v in trial.user_attrs.items() if k not in ("rungs", "seconds")}
    facts["continues"] = trial.number
    scene.ledger.propose(trial.params, trial.distributions, facts)


def settings(sample: Sample) -> str:
    """What a trial has beside its student, in canonical JSON."""
    names = ("alpha", "knowledge", "learning_rate", "temperature")
    return json.dumps({name: sample[name] for name in names})


def identity(attributes: dict[str, Any]) -> str:
    """What makes two trials the same: student and settings."""
    return str(attributes["student"] + attributes["settings"])


def attributes(scene: Scene, config: StudentConfig) -> dict[str, Any]:
    """What is known of a student before it is trained."""
    size = counts(config)
    first = scene.space.budgets[0]
    return {
        "channels": config.label(),
        **{name: count(size, config.bits) for name, count in COSTS.items()},
        **{b.cost: cost(config, b) for b in scene.space.budgets if b.cost not in COSTS},
        "fill": round(cost(config, first) / first.bound, 4),
        "student": config.to_json(),
    }
