"""Proposing: a pure function of the spec, the trials before, and the trial's number.

Trials are asked in an in-memory study that mirrors the stored one, each with a fresh sampler
seeded by (study seed, number), so that a resumed study proposes what it would have proposed.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Literal

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.study.space import Sample, Space, complete, distributions, first_samples
from nas_kd.training import derive

DIRECTIONS: tuple[Literal["maximize"], Literal["minimize"]] = ("maximize", "minimize")
"""Of validation accuracy and of cost."""

STARTUP = 10
"""Finished trials before TPE takes over from random proposals."""


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


def propose(study: optuna.Study, number: int, space: Space) -> Sample:
    """The sample of trial `number`, and leave it as a running trial in the mirror.

    What the sampler asked is withdrawn (a failed trial, which TPE does not see) and replaced by
    its completed form, in which settings that cannot matter have one value.
    """
    asked = distributions(space)
    first = first_samples(space)
    if number < len(first):
        sample = first[number]
    else:
        study.sampler = sampler(space, number)
        trial = study.ask(asked)
        sample = complete(space, trial.params)
        study.tell(trial, state=TrialState.FAIL)
    params = {name: sample[name] for name in asked}
    study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=asked))
    return sample


def propose_all(
    before: Sequence[FrozenTrial], numbers: Sequence[int], space: Space
) -> Iterable[tuple[int, Sample]]:
    """Each number with its sample, in order, given all trials before the first of them."""
    study = mirror(before)
    for number in numbers:
        yield number, propose(study, number, space)
