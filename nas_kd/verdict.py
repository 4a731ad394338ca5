"""What may be said of a difference, in words: gained, lost, or that none was found."""

from nas_kd.intervals import Estimate


def in_points(found: Estimate, sign: str = "") -> tuple[str, str, str]:
    """A difference and the ends of its interval, in points of a hundred; with a second digit where
    the interval is shorter than a point."""
    digits = 1 if found.high - found.low >= 0.01 else 2
    mean, low, high = (
        format(100 * share, f"{sign}.{digits}f") for share in (found.mean, found.low, found.high)
    )
    return mean, low, high


def points(found: Estimate, sign: int = 1) -> str:
    """A difference with its interval, in points of a hundred: 4.8 points (3.2 to 6.4)."""
    low, high = sorted((sign * found.low, sign * found.high))
    mean, low_text, high_text = in_points(Estimate(sign * found.mean, low, high))
    return f"{mean} points ({low_text} to {high_text})"


def undecided(found: Estimate) -> str:
    """A difference whose interval holds zero: +0.1 points, -1.4 to +1.6."""
    mean, low, high = in_points(found, "+")
    return f"{mean} points, {low} to {high}"


def of_distillation(found: Estimate, whom: str) -> str:
    """One sentence: what distillation gained over the same student without the teacher; `whom` is
    `at 19,981 parameters`."""
    if found.sign > 0:
        return f"Distillation gained {points(found)} {whom}."
    if found.sign < 0:
        return f"Distillation lost {points(found, -1)} {whom}: without the teacher it is better."
    return f"No difference between distilled and alone was found {whom} ({undecided(found)})."


def of_search(found: Estimate | None, largest: str) -> str:
    """One sentence: what the best student is better by than the largest that fits; None where the
    two are one student."""
    if found is None:
        return f"The best student is the largest that fits, {largest}: no other was better."
    if found.sign > 0:
        return f"The search gained {points(found)} over the largest that fits, {largest}."
    if found.sign < 0:
        return (
            f"The search lost {points(found, -1)} to the largest that fits, {largest}: take that."
        )
    return f"No difference to the largest that fits, {largest}, was found ({undecided(found)})."


def of_two(found: Estimate | None, first: str, second: str) -> str:
    """One sentence: which study's best student is better."""
    if found is None:
        return "Which is better is not known: too many seeds failed."
    if found.sign > 0:
        return f"{first} is better than {second} by {points(found)}."
    if found.sign < 0:
        return f"{second} is better than {first} by {points(found, -1)}."
    return f"No difference between {first} and {second} was found ({undecided(found)})."
