"""Proposing: a pure function of the spec, the trials before, and the trial's number.

Trials are asked in an in-memory study that mirrors the stored one, each with a fresh sampler
seeded by (study seed, number), so that a resumed study proposes what it would have proposed.
"""

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.front import Point, front
from nas_kd.space.first import first_samples, further_sample, never_stopped
from nas_kd.space.sample import complete, distributions, params_of
from nas_kd.space.space import Space
from nas_kd.spec.settings import Sample
from nas_kd.training import derive

DIRECTIONS: tuple[Literal["maximize"], Literal["minimize"]] = ("maximize", "minimize")
"""Of validation accuracy and of cost."""

STARTUP = 10
"""Finished trials before TPE takes over."""

LEARNED = 2_000
"""So many of the last told trials are learned from, beside the front: what a proposal takes grows
with them (studies/scale)."""


class Shared(dict[str, BaseDistribution]):
    """Distributions that a copy of a trial shares: nobody changes them, and a mirror of thousands
    of trials would copy each of theirs."""

    def __deepcopy__(self, memo: Any) -> "Shared":
        return self


class TPE(TPESampler):
    """TPE that knows what is searched, for every trial has all of it. It would look through all
    trials for what they have in common."""

    def __init__(self, asked: Mapping[str, BaseDistribution], seed: int) -> None:
        super().__init__(multivariate=True, constant_liar=True, n_startup_trials=STARTUP, seed=seed)
        self._asked = {name: asked[name] for name in sorted(asked) if not asked[name].single()}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What is searched, by name, but for what has one value."""
        return self._asked


def sampler(space: Space, number: int) -> BaseSampler:
    """A fresh sampler for one trial."""
    seed = derive(space.spec.seed, "proposal", number)
    if space.spec.sampler == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPE(distributions(space), seed)


def learned(trials: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
    """The trials that a sampler learns from: those that are not told, the last by number that were,
    and of the older ones those on the front."""
    told = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    old = {trial.number for trial in told[:-LEARNED]}
    if not old:
        return trials
    scored = [Point(t.number, *t.values) for t in told if t.values]
    kept = {point.trial for point in front(scored)}
    return [trial for trial in trials if trial.number not in old or trial.number in kept]


def mirror(trials: Iterable[FrozenTrial]) -> optuna.Study:
    """An in-memory study with these trials."""
    study = optuna.create_study(directions=DIRECTIONS)
    for trial in map(copy.copy, trials):
        trial.distributions = Shared(trial.distributions)
        study.add_trial(trial)
    return study


def spread(asked: Mapping[str, BaseDistribution], seed: int, number: int) -> dict[str, Any]:
    """Point `number` of a scrambled Sobol sequence: the first few cover every setting evenly.

    Sobol 1967, "On the distribution of points in a cube and the approximate evaluation of
    integrals"; the scrambling and its seed are scipy's.
    """
    from scipy.stats.qmc import Sobol  # half a second, which `space` and `report` do without

    points = Sobol(len(asked), rng=seed).random_base2(number.bit_length())
    return {
        name: value_at(float(share), distribution)
        for share, (name, distribution) in zip(points[number], asked.items(), strict=True)
    }


def value_at(share: float, distribution: BaseDistribution) -> Any:
    """The value that lies at a share in [0, 1) of a distribution."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[int(share * len(choices))]
        case IntDistribution(low=low, high=high, log=True):
            return min(high, int(low * ((high + 1) / low) ** share))
        case IntDistribution(low=low, high=high, step=step):
            return low + step * int(share * ((high - low) // step + 1))
        case FloatDistribution(low=low, high=high, log=True):
            return low * (high / low) ** share
        case FloatDistribution(low=low, high=high, step=None):
            return low + share * (high - low)
        case FloatDistribution(low=low, high=high, step=float(step)):
            return low + step * int(share * (round((high - low) / step) + 1))
    raise AssertionError(f"{distribution} is asked nowhere")


def propose(study: optuna.Study, number: int, space: Space) -> Sample:
    """The sample of trial `number`, and leave it as a running trial in the mirror.

    What the sampler asked is withdrawn (a failed trial, which TPE does not see) and replaced by
    its completed form, in which settings that cannot matter have one value. Until TPE has trials
    to learn from, settings are spread evenly between the ends of the front, which are known: a
    front needs students of every size at once.
    """
    asked = distributions(space)
    defaults, narrow = never_stopped(space)
    if number in defaults:
        sample = first_samples(space)[number]
    elif number in narrow:
        sample = further_sample(space, number - narrow.start)
    elif asked and number < max(STARTUP, space.spec.generation) and space.spec.sampler == "tpe":
        seed = derive(space.spec.seed, "spread")
        sample = complete(space, spread(asked, seed, number - narrow.stop))
    else:
        study.sampler = sampler(space, number)
        trial = study.ask(asked)
        sample = complete(space, trial.params)
        study.tell(trial, state=TrialState.FAIL)
    params = params_of(space, sample, asked)
    study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=asked))
    return sample


def propose_all(
    before: Sequence[FrozenTrial], numbers: Sequence[int], space: Space
) -> Iterable[tuple[int, Sample]]:
    """Each number with its sample, in order, given all trials before the first of them."""
    study = mirror(learned(before))
    for number in numbers:
        yield number, propose(study, number, space)
