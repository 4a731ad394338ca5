"""What a setting of a spec may be beside the others: one check a rule, by the setting it blames.

A check is given the setting's value and the valid settings that stand before it in StudySpec. It
raises ValueError, whose text follows the setting's name.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from nas_kd.costs.budgets import QUANTISED, WHOLE, parse_budget
from nas_kd.knowledge import mixture
from nas_kd.metrics import METRICS
from nas_kd.schemes import SCHEMES
from nas_kd.schemes.scheme import last_round_from
from nas_kd.spec.settings import SETTINGS
from nas_kd.spec.teachers import TRAINED, kind_of, parts_in
from nas_kd.students import FAMILIES

Known = Mapping[str, Any]
Check = Callable[[Any, Known], None]

NO_LIMIT = 10**9

PEERS = 2
"""Of the scheme online, unless more are asked for."""


def one_of_which_a_budget_is_a_share(teacher: tuple[str, ...], known: Known) -> None:
    """A share is of one teacher."""
    shares = [text for text in known.get("budget", ()) if "%" in text]
    if len(teacher) > 1 and shares:
        raise ValueError(f"are several, and the budget {shares[0]} is a share of one")


def named_without_labels(teacher: tuple[str, ...], known: Known) -> None:
    """Without labels a teacher cannot be trained."""
    trained = not teacher or any(kind_of(one) == TRAINED for one in parts_in(teacher))
    if known.get("teacher_classes") and trained:
        raise ValueError("without labels none can be trained: name one of yours")


def unlabelled_must_be(wanted: Any, why: str) -> Check:
    """A setting that has one value where there are no labels."""

    def check(value: Any, known: Known) -> None:
        if known.get("teacher_classes") and value != wanted:
            raise ValueError(why)

    return check


def of_the_teacher_without_labels(metric: str, known: Known) -> None:
    """Without labels students can be compared with the teacher alone."""
    if known.get("teacher_classes") and not METRICS[metric].of_teacher:
        raise ValueError("must be agreement without labels: there is no other truth")


def with_one_teacher(metric: str, known: Known) -> None:
    """A metric that compares with the teacher needs one."""
    teachers = known.get("teacher", (TRAINED,))
    if METRICS[metric].of_teacher and len(teachers) != 1:
        count = "several are" if teachers else "none is"
        raise ValueError(f"compares with the teacher, and {count} named")


def with_whom_the_scheme_needs(scheme: str, known: Known) -> None:
    """A scheme has a teacher if it needs one, and terms of layers have a fixed one."""
    fixed = SCHEMES[scheme].teacher
    if known.get("teacher") == () and fixed:
        raise ValueError(f"{scheme} needs a teacher, and none is named")
    if known.get("teacher_classes") and not fixed:
        raise ValueError("must be offline without labels: only a fixed teacher knows them")
    for name in known.get("knowledge", ()):
        if (layers := mixture(name).of_layers) and not fixed:
            why = f"knowledge {', '.join(layers)} compares layers of a fixed teacher"
            raise ValueError(f"must be offline: {why}")


def of_peers(peers: int, known: Known) -> None:
    """Peers are of schemes that train some, the built-in one being online."""
    scheme = known.get("scheme")
    if peers != PEERS and scheme in ("offline", "co_teacher", "self", "exits"):
        raise ValueError(f"are of the scheme online, and {scheme} is asked")


def of_its_scheme(co_teacher: str | None, known: Known) -> None:
    """A co-teacher belongs to a scheme of its own."""
    scheme = known.get("scheme")
    if co_teacher is not None and scheme not in (None, "co_teacher"):
        raise ValueError(f"is for the scheme online, and {scheme} is asked")
    if co_teacher is None and scheme == "co_teacher":
        raise ValueError("must be named for the scheme co_teacher, such as resnet")


def with_layers_if_named(knowledge: tuple[str, ...], known: Known) -> None:
    """Where layers of the teacher are named, a term compares layers."""
    named = known.get("teacher_layer", ())
    if named and not any(mixture(name).of_layers for name in knowledge):
        terms = ", ".join(knowledge)
        raise ValueError(f"{terms} compares no layers, and teacher_layer names {', '.join(named)}")


def of_answers_too(knowledge: tuple[str, ...], known: Known) -> None:
    """Without labels a term of answers has to train the student's last layer."""
    for name in knowledge:
        if known.get("teacher_classes") and mixture(name).most_alpha < 1:
            right = f"mix it with a term of answers, such as 'kl + {name}'"
            raise ValueError(f"{name} sees no answers, and there are no labels: {right}")


def what_the_last_layer_needs(alpha: Any, known: Known) -> None:
    """Where only labels train a student's last layer, or keep peers apart, alpha is below 1."""
    least = alpha[0] if isinstance(alpha, tuple) else alpha
    scheme = known.get("scheme")
    if scheme and least > (most := SCHEMES[scheme].most_alpha):
        raise ValueError(f"must be {most} or less for {scheme}: peers need the labels")
    for name in known.get("knowledge", ()):
        if least > (most := mixture(name).most_alpha):
            why = f"{name} sees no answers, and only the labels train the last layer"
            raise ValueError(f"must be {most} or less: {why}")


def beside_the_mean(std: tuple[float, ...], known: Known) -> None:
    """Deviations go with means, of pixels from 0 to 1."""
    mean = known.get("teacher_mean", ())
    if len(std) != len(mean) or any(s <= 0 for s in std):
        raise ValueError("must be as many as teacher_mean, each more than zero")
    if any(value > 2 for value in (*mean, *std)):
        raise ValueError("and teacher_mean are of pixels from 0 to 1, not to 255")


def bytes_for_both(bits: tuple[int, ...], known: Known) -> None:
    """Where bits cost nothing, fewer can't be better: they are searched for bytes or RAM."""
    if len({*bits}) < len(bits):
        raise ValueError("names one number twice")
    if len(bits) > 1 and not of_device(known.get("budget", ())):
        right = "add such a budget, or fix one of them"
        raise ValueError(f"both are searched under a budget of bytes or RAM: {right}")


def of_8_bits_alone(qat: bool, known: Known) -> None:
    """Rounded training is of students of 8 bits, each a network of its own."""
    if not qat:
        return
    if QUANTISED not in bits_of(known.get("bits", ()), known.get("budget", ())):
        raise ValueError("trains students of 8 bits, and these have 32: say bits=8, too")
    if known.get("scheme", "offline") != "offline":
        raise ValueError(f"trains a student alone, and the scheme is {known['scheme']}")
    for name in known.get("knowledge", ()):
        if layers := mixture(name).of_layers:
            raise ValueError(f"trains with terms of answers, and {', '.join(layers)} sees layers")


def bits_of(said: tuple[int, ...], budgets: Iterable[str]) -> tuple[int, ...]:
    """The bits that students have: what is said, or what the budgets make useful."""
    return said or ((QUANTISED,) if of_device(budgets) else (WHOLE,))


def of_device(budgets: Iterable[str]) -> bool:
    """Whether a budget is of bytes or RAM, which fewer bits make smaller."""
    return any(parse_budget(text, 1).cost in ("bytes", "ram") for text in budgets)


def offered(options: dict[str, tuple[Any, ...]], known: Known) -> None:
    """Options are those of the families, and of their choices."""
    families = known.get("family", ())
    choices_of = {n: v for f in families for n, v in FAMILIES[f].options.items()}
    for name, values in options.items():
        if name not in choices_of:
            has = ", ".join(choices_of) or "none"
            raise ValueError(f"{name} is no option of {', '.join(families)}; they have {has}")
        if not values or any(value not in choices_of[name] for value in values):
            choices = ", ".join(json.dumps(value) for value in choices_of[name])
            raise ValueError(f"{name} must be of {choices}")


def of_known_settings(families: tuple[str, ...], known: Known) -> None:
    """The settings that a family reads are registered."""
    for name in families:
        expect_registered(name, FAMILIES[name].settings)


def of_known_numbers(knowledge: tuple[str, ...], known: Known) -> None:
    """The settings that a term reads are registered, and are numbers."""
    for name in knowledge:
        read = mixture(name).settings
        expect_registered(name, read)
        for setting in read:
            if any(isinstance(value, str) for value in SETTINGS[setting].searched):
                raise ValueError(f"{name} reads the setting {setting}, whose values are words")


def expect_registered(name: str, read: tuple[str, ...]) -> None:
    """Raise ValueError for a setting that a part reads and nobody registered."""
    for setting in read:
        if setting not in SETTINGS:
            raise ValueError(f"{name} reads the setting {setting}, which nobody registered")


def one_for_each_round(epochs: int | None, known: Known) -> None:
    """Each round of a scheme has an epoch."""
    rounds = SCHEMES[known["scheme"]].rounds if "scheme" in known else 1
    if epochs is not None and epochs < rounds:
        raise ValueError(f"must be {rounds} or more: {known['scheme']} has as many rounds")


def rising(rungs: tuple[int, ...] | None, known: Known) -> None:
    """Rungs rise from 1 to below epochs, and lie in the last round."""
    epochs = known.get("epochs", NO_LIMIT)
    if any(b <= a for a, b in pairwise((0, *(rungs or ()), epochs or NO_LIMIT))):
        raise ValueError("must rise from 1 to below epochs")
    if rungs and epochs is None:
        raise ValueError("must be below epochs: say epochs, too")
    rounds = SCHEMES[known["scheme"]].rounds if "scheme" in known else 1
    if rungs and epochs and rungs[0] <= (before := last_round_from(epochs, rounds)):
        raise ValueError(f"must lie after epoch {before}, where the last round begins")


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "teacher": (one_of_which_a_budget_is_a_share, named_without_labels),
    "teacher_std": (beside_the_mean,),
    "family": (of_known_settings,),
    "knowledge": (of_known_numbers, of_answers_too, with_layers_if_named),
    "scheme": (with_whom_the_scheme_needs,),
    "peers": (of_peers,),
    "co_teacher": (of_its_scheme,),
    "alpha": (
        unlabelled_must_be(1, "must be 1 without labels: there is nothing else to learn from"),
        what_the_last_layer_needs,
    ),
    "bits": (bytes_for_both,),
    "qat": (of_8_bits_alone,),
    "options": (offered,),
    "epochs": (one_for_each_round,),
    "rungs": (rising,),
    "class_weights": (unlabelled_must_be("none", "must be none without labels"),),
    "drop_classes": (unlabelled_must_be((), "cannot be left out without labels"),),
    "metric": (of_the_teacher_without_labels, with_one_teacher),
}
"""The rules, by the setting that each is told of."""
