"""Proposing is a pure function of what was before."""

from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.costs.budgets import parse_budgets
from nas_kd.space import sampler
from nas_kd.space.first import ladder
from nas_kd.space.resolve import resolve
from nas_kd.space.sample import distributions
from nas_kd.space.sampler import (
    DIRECTIONS,
    STARTUP,
    learned,
    mirror,
    propose,
    propose_all,
    value_at,
)
from nas_kd.space.space import Sample, Space
from nas_kd.students.decode import counts, decode
from tests.conftest import tiny


@pytest.fixture
def space() -> Space:
    spec = tiny(budget="20k", depth=[1, 6], trials=64)
    return resolve(spec, parse_budgets(spec.budget), (1, 28, 28), 10)


def stored(space: Space, samples: list[tuple[int, Sample]], state: TrialState) -> list[FrozenTrial]:
    """Trials as a database gives them back."""
    asked = distributions(space)
    trials = []
    for number, sample in samples:
        values = [sample["width"], float(sample["depth"])] if state == TrialState.COMPLETE else None
        params: dict[str, Any] = {name: sample[name] for name in asked}
        trial = create_trial(state=state, params=params, distributions=asked, values=values)
        trial.number = number
        trials.append(trial)
    return trials


@pytest.mark.parametrize("most", [sampler.LEARNED, 12])
def test_the_second_generation_is_the_same_however_often_the_driver_stopped(
    most: int, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "LEARNED", most)
    first = list(propose_all([], range(16), space))
    told = stored(space, first, TrialState.COMPLETE)
    whole = list(propose_all(told, range(16, 32), space))
    for stop in (17, 20, 31):
        running = stored(space, whole[: stop - 16], TrialState.RUNNING)
        rest = list(propose_all([*told, *running], range(stop, 32), space))
        assert whole[stop - 16 :] == rest


def test_the_sampler_learns_from_finished_trials(space: Space) -> None:
    first = list(propose_all([], range(16), space))
    told = stored(space, first, TrialState.COMPLETE)
    asked_blindly = list(propose_all(stored(space, first, TrialState.FAIL), range(16, 32), space))
    asked = list(propose_all(told, range(16, 32), space))
    assert asked != asked_blindly

    def mean_width(samples: list[tuple[int, Sample]]) -> float:
        return sum(sample["width"] for _, sample in samples) / len(samples)

    assert mean_width(asked) > mean_width(asked_blindly)


def test_optunas_own_sampler_proposes_the_same(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = list(propose_all([], range(32), space))
    told = stored(space, first[:24], TrialState.COMPLETE)
    told += stored(space, first[24:], TrialState.PRUNED)
    ours = list(propose_all(told, range(32, 48), space))

    def plain(asked: Any, seed: int) -> TPESampler:
        return TPESampler(
            multivariate=True, constant_liar=True, n_startup_trials=STARTUP, seed=seed
        )

    def copied(trials: list[FrozenTrial]) -> optuna.Study:
        study = optuna.create_study(directions=DIRECTIONS)
        study.add_trials(trials)
        return study

    monkeypatch.setattr(sampler, "TPE", plain)
    monkeypatch.setattr(sampler, "mirror", copied)
    assert list(propose_all(told, range(32, 48), space)) == ours


def test_of_many_trials_the_last_are_learned_from_and_the_front(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = list(propose_all([], range(24), space))
    told = stored(space, samples[:18], TrialState.COMPLETE)
    stopped = stored(space, samples[18:20], TrialState.PRUNED)
    cancelled = stored(space, samples[20:22], TrialState.FAIL)
    trials = [*told, *stopped, *cancelled, *stored(space, samples[22:], TrialState.RUNNING)]
    assert learned(trials) is trials
    monkeypatch.setattr(sampler, "LEARNED", 10)
    kept = {trial.number for trial in learned(trials)}
    assert {*range(10, 24)} < kept < {*range(24)}

    def beaten(one: FrozenTrial) -> bool:
        """Whether another is as good in both, and better or earlier."""
        return any(
            t.values[0] >= one.values[0]
            and t.values[1] <= one.values[1]
            and (t.values != one.values or t.number < one.number)
            for t in told
        )

    assert {t.number for t in told[:10] if not beaten(t)} == {n for n in kept if n < 10}


def test_a_stopped_trial_does_not_stop_the_sampler(space: Space) -> None:
    first = list(propose_all([], range(16), space))
    told = stored(space, first[:8], TrialState.COMPLETE) + stored(
        space, first[8:], TrialState.PRUNED
    )
    assert len(list(propose_all(told, range(16, 32), space))) == 16


def test_the_samples_of_a_generation_differ(space: Space) -> None:
    samples = [str(sample) for _, sample in propose_all([], range(16), space)]
    assert len(set(samples)) == 16


def test_another_study_seed_proposes_others(space: Space) -> None:
    spec = space.spec.model_copy(update={"seed": 1})
    other = resolve(spec, space.budgets, (1, 28, 28), 10)
    first, second = (list(propose_all([], range(6, 10), s)) for s in (space, other))
    assert [a != b for (_, a), (_, b) in zip(first, second, strict=True)] == [True] * 4


def test_every_depth_is_drawn_and_built_as_named_in_200_samples(space: Space) -> None:
    study = mirror([])
    drawn = set()
    for number in range(200):
        sample = propose(study, number, space)
        config = decode(sample, space.budgets, (1, 28, 28), 10)
        assert (config.family, config.depth) == (sample["family"], sample["depth"])
        drawn.add((config.family, config.depth))
    assert drawn == {(f, d) for f in ("cnn", "mlp") for d in range(1, 7)}


def test_the_first_generation_covers_sizes_and_families_evenly(space: Space) -> None:
    whole = replace(space, spec=space.spec.model_copy(update={"generation": 16}))
    samples = [sample for _, sample in propose_all([], range(14), whole)][6:]
    for n in range(4):
        low, high = (0.2 * 5 ** (end / 4) for end in (n, n + 1))
        assert sum(low <= sample["width"] < high for sample in samples) == 2
    assert [sample["family"] for sample in samples].count("cnn") == 4
    assert len({sample["depth"] for sample in samples}) >= 5


def test_a_ladder_of_the_first_familys_default_student_is_proposed_first(space: Space) -> None:
    samples = [sample for _, sample in propose_all([], range(6), space)]
    costs = [counts(space.student(sample)).parameters for sample in samples]
    families = [sample["family"] for sample in samples]
    assert families == ["cnn", "cnn", "mlp", "mlp", "cnn", "cnn"]
    assert min(costs[:4]) > 0.99 * 20_000
    assert 0.97 * 2_000 < costs[4] <= 2_000
    assert 0.97 * 6_325 < costs[5] <= 6_325
    assert samples[4] == samples[0] | {"width": samples[4]["width"]}
    assert samples[5] == samples[0] | {"width": samples[5]["width"]}


def test_the_ladder_counts_from_what_a_student_can_cost_where_another_budget_binds() -> None:
    spec = tiny(budget=["200k", "300k macs"], depth=[1, 6], width=[0.05, 1.0])
    space = resolve(spec, parse_budgets(spec.budget), (1, 28, 28), 10)
    samples = [sample for _, sample in propose_all([], range(6), space)]
    largest, low, middle = (
        counts(space.student(samples[n])).parameters for n in (0, 4, 5)
    )  # fmt: skip
    assert largest < 50_000
    assert 0.9 * largest / 10 < low <= largest / 10
    assert 0.9 * largest / 10**0.5 < middle <= largest / 10**0.5


def test_the_ladder_is_of_the_family_that_is_named_first(space: Space) -> None:
    spec = space.spec.model_copy(update={"family": ("mlp", "cnn"), "width": (0.01, 1.0)})
    other = resolve(spec, space.budgets, (1, 28, 28), 10)
    samples = [sample for _, sample in propose_all([], range(6), other)]
    assert [sample["family"] for sample in samples[4:]] == ["mlp", "mlp"]
    costs = [counts(other.student(sample)).parameters for sample in samples[4:]]
    assert costs[0] <= 2_000 < costs[1] <= 6_325


def test_only_the_upper_end_is_proposed_first_where_width_is_fixed_or_sampling_random(
    space: Space,
) -> None:
    for settings in ({"width": 1.0}, {"sampler": "random"}):
        spec = space.spec.model_copy(update=settings)
        assert ladder(replace(space, spec=spec)) == ()


def test_spread_values_lie_on_their_steps_and_reach_both_ends() -> None:
    alpha = FloatDistribution(0, 1, step=0.05)
    assert value_at(0.0, alpha) == 0.0
    assert value_at(0.999, alpha) == pytest.approx(1.0)
    assert value_at(0.5, FloatDistribution(1, 16, log=True)) == pytest.approx(4.0)
    assert value_at(0.5, FloatDistribution(0, 3)) == 1.5
    assert [value_at(share, IntDistribution(1, 6)) for share in (0.0, 0.5, 0.999)] == [1, 4, 6]
    assert value_at(0.6, CategoricalDistribution(("cnn", "mlp"))) == "mlp"


def test_random_sampling_is_there_too(space: Space) -> None:
    spec = space.spec.model_copy(update={"sampler": "random"})
    other = resolve(spec, space.budgets, (1, 28, 28), 10)
    assert len(list(propose_all([], range(16), other))) == 16
