"""The fixed first samples: default students, and the ladder of narrower ones."""

from dataclasses import replace
from math import sqrt

from nas_kd.costs.budgets import LATENCY, QUANTISED
from nas_kd.front import LEAST_SHARE
from nas_kd.space.sample import complete
from nas_kd.space.space import Space
from nas_kd.spec.settings import SETTINGS, Sample
from nas_kd.students import FAMILIES
from nas_kd.students.decode import cost, decode, fits
from nas_kd.students.family import TEACHER, StudentConfig


def default_sample(space: Space, family: str, alpha: float | None = None) -> Sample:
    """The default student of a family: the largest that fits at its own depth and taper."""
    part = FAMILIES[family]
    own = {"depth": part.default_depth, "taper": part.default_taper}
    sample = space.defaults() | {name: space.near(name, value) for name, value in own.items()}
    if alpha is not None:
        sample["alpha"] = alpha
    return complete(space, sample | {"family": family, "depth": int(sample["depth"])})


def first_samples(space: Space) -> list[Sample]:
    """The first trials: each family's default student, and the same without the teacher."""
    alphas = (None, 0.0) if space.ends("alpha")[0] == 0 < space.ends("alpha")[1] else (None,)
    return [default_sample(space, f, alpha) for f in space.families for alpha in alphas]


CO_TEACHER = 8
"""A co-teacher may cost so many times the budgets."""


def co_teacher_of(space: Space) -> StudentConfig | None:
    """The network that is trained beside every student, where the spec asks for one: its family's
    default student at CO_TEACHER times the budgets. Raises as `decode` does."""
    family = space.spec.co_teacher
    if family is None:
        return None
    part = FAMILIES[family]
    sample: Sample = {name: values[0] for name, values in part.options.items()}
    sample |= {name: space.near(name, SETTINGS[name].default) for name in part.settings}
    sample |= {"family": family, "depth": part.default_depth, "taper": part.default_taper}
    budgets = [replace(budget, bound=CO_TEACHER * budget.bound) for budget in space.budgets]
    return decode(sample | {"width": 1.0}, budgets, space.input_shape, space.classes)


NARROWINGS = 8
"""Halvings of a width's range, on its logarithm: to less than a hundredth of it."""


def never_stopped(space: Space) -> tuple[range, range]:
    """The fixed first trials, which others are compared with: the numbers of the default students,
    and those of the ladder and of the teacher in 8 bits."""
    defaults = len(first_samples(space))
    further = len(ladder(space)) + (quantised_teacher(space) is not None)
    return range(defaults), range(defaults, defaults + further)


def further_sample(space: Space, number: int) -> Sample:
    """The fixed samples after the default students: those of the ladder, then the teacher's."""
    shares = ladder(space)
    if number < len(shares):
        return narrowed(space, shares[number])
    sample = quantised_teacher(space)
    assert sample is not None, "as many as never_stopped says"
    return sample


def quantised_teacher(space: Space) -> Sample | None:
    """The teacher itself in 8 bits: its whole network, which starts from its weights and learns
    slowly. None where it is no family, has several widths, sees other examples than students do, or
    does not fit."""
    names = space.spec.teacher
    if len(names) != 1 or names[0] not in space.families or QUANTISED not in space.values("bits"):
        return None
    if FAMILIES[names[0]].whole is None or space.spec.teacher_mean or space.spec.teacher_size:
        return None
    slow = space.ends("learning_rate")[0]
    more = {"bits": QUANTISED, "weights": TEACHER, "learning_rate": slow}
    sample = default_sample(space, names[0]) | more
    return sample if fits(space.student(sample), space.budgets) else None


def ladder(space: Space) -> tuple[float, ...]:
    """The shares of the budget for narrower versions of the first family's default student.

    They are a tenth, where the hypervolume begins, and the geometric mean of a tenth and one.
    The ladder is empty if the width is fixed, or if the sampler is random. It is also empty if
    a budget is a measured latency, or if the family has no closed-form counts, because the
    search for the width would then measure or build many networks.
    """
    low, high = space.ends("width")
    measured = any(budget.cost == LATENCY for budget in space.budgets)
    unknown = FAMILIES[space.families[0]].counts is None
    if low == high or measured or unknown or space.spec.sampler == "random":
        return ()
    return LEAST_SHARE, sqrt(LEAST_SHARE)


def narrowed(space: Space, share: float) -> Sample:
    """The first family's default student at the largest width within a share of the budget, or of
    what it can cost where another budget binds."""
    sample, budget = default_sample(space, space.families[0]), space.budgets[0]
    bound = share * min(budget.bound, cost(space.student(sample), budget))
    low, high = space.ends("width")
    for _ in range(NARROWINGS):
        middle = sqrt(low * high)
        price = cost(space.student(sample | {"width": middle}), budget)
        low, high = (middle, high) if price <= bound else (low, middle)
    return sample | {"width": low}
