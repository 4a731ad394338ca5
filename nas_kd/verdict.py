"""What may be said of a difference, in words: gained, lost, or that none was found."""

from nas_kd.intervals import Estimate


def digits(found: Estimate) -> int:
    """A second digit where the interval is shorter than a point, or where an end that is not zero
    would be read as zero."""
    near = min(abs(found.low), abs(found.high))
    return 2 if found.high - found.low < 0.01 or (found.sign and near < 0.0005) else 1


def points(found: Estimate) -> str:
    """A difference with its interval, in points of a hundred: 4.8 points (3.2 to 6.4)."""
    mean, interval = found.in_words(digits(found)).split(" ", 1)
    return f"{mean} points {interval}"


def undecided(found: Estimate) -> str:
    """A difference whose interval holds zero: +0.1 points, -1.4 to +1.6."""
    mean, interval = found.in_words(digits(found), "+").split(" ", 1)
    return f"{mean} points, {interval.strip('()')}"


def of_distillation(found: Estimate, whom: str) -> str:
    """One sentence: what distillation gained over the same student without the teacher; `whom` is
    `at 19,981 parameters`."""
    if found.sign > 0:
        return f"Distillation gained {points(found)} {whom}."
    if found.sign < 0:
        lost = points(found.reversed())
        return f"Distillation lost {lost} {whom}: without the teacher it is better."
    return f"No difference between distilled and alone was found {whom} ({undecided(found)})."


def of_same_network(found: Estimate, label: str, role: str) -> str:
    """One more sentence where distillation gained over the twin, and not over the same network that
    was trained alone with other settings; else nothing."""
    if found.sign > 0:
        return ""
    alone = f"the same network alone with other settings, {label} ({role})"
    if found.sign < 0:
        return f" But {alone}, is better by {points(found.reversed())}."
    return f" But no difference to {alone}, was found ({undecided(found)})."


NO_LABELS = (
    "There are no labels, so no student could be trained without the teacher, and what is measured "
    "is agreement with it."
)
"""The sentence on distillation of a study without labels."""


def of_search(found: Estimate, largest: str) -> str:
    """One sentence: what the best student is better by than the largest that fits."""
    if found.sign > 0:
        return f"The search gained {points(found)} over the largest that fits, {largest}."
    if found.sign < 0:
        lost = points(found.reversed())
        return f"The search lost {lost} to the largest that fits, {largest}: take that."
    return f"No difference to the largest that fits, {largest}, was found ({undecided(found)})."


def of_the_largest(largest: str) -> str:
    """One sentence where the best student is the largest that fits."""
    return f"The best student of the search is itself the largest that fits, {largest}."


def of_search_at_least(bound: float, better: float, largest: str) -> str:
    """One sentence: what the best student of a search is better by than the largest that fits, at
    least, and how much it was where it was chosen."""
    if bound > 0:
        return (
            f"The search gained at least {100 * bound:.2g} points over the largest that fits, "
            f"{largest}."
        )
    return (
        f"No student was found that is surely better than the largest that fits, {largest}: the "
        f"best is {100 * better:.1f} points better on the examples on which it was chosen."
    )


def of_two(found: Estimate | None, first: str, second: str) -> str:
    """One sentence: which study's best student is better."""
    if found is None:
        return "Which is better is not known: too many seeds failed."
    if found.sign > 0:
        return f"{first} is better than {second} by {points(found)}."
    if found.sign < 0:
        return f"{second} is better than {first} by {points(found.reversed())}."
    return f"No difference between {first} and {second} was found ({undecided(found)})."
