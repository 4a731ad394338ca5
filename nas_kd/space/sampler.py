"""Proposing: a pure function of the spec, the trials before, and the trial's number.

Trials are asked in an in-memory study that mirrors the stored one, each with a fresh sampler
seeded by (study seed, number), so that a resumed study proposes what it would have proposed.
"""

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

from nas_kd.space.first import first_samples, ladder, narrowed, never_stopped
from nas_kd.space.sample import complete, distributions, params_of
from nas_kd.space.space import Space
from nas_kd.spec.settings import Sample
from nas_kd.training import derive

DIRECTIONS: tuple[Literal["maximize"], Literal["minimize"]] = ("maximize", "minimize")
"""Of validation accuracy and of cost."""

STARTUP = 10
"""Finished trials before TPE takes over."""


def sampler(space: Space, number: int) -> BaseSampler:
    """A fresh sampler for one trial."""
    seed = derive(space.spec.seed, "proposal", number)
    if space.spec.sampler == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            multivariate=True, constant_liar=True, n_startup_trials=STARTUP, seed=seed
        )


def mirror(trials: Iterable[FrozenTrial]) -> optuna.Study:
    """An in-memory study with these trials."""
    study = optuna.create_study(directions=DIRECTIONS)
    study.add_trials(trials)
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
        sample = narrowed(space, ladder(space)[number - narrow.start])
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
    study = mirror(before)
    for number in numbers:
        yield number, propose(study, number, space)
