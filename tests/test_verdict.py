"""What is said of a difference."""

from nas_kd.intervals import Estimate
from nas_kd.verdict import of_distillation, of_search, of_search_at_least, of_the_largest, of_two

GAINED, LOST = Estimate(0.048, 0.032, 0.064), Estimate(-0.048, -0.064, -0.032)
NOTHING = Estimate(0.001, -0.014, 0.016)


def test_distillation_gained_lost_or_made_no_difference_that_was_found() -> None:
    size = "at 19,026 parameters"
    assert of_distillation(GAINED, size) == (
        "Distillation gained 4.8 points (3.2 to 6.4) at 19,026 parameters."
    )
    assert of_distillation(LOST, size) == (
        "Distillation lost 4.8 points (3.2 to 6.4) at 19,026 parameters: without the teacher it is "
        "better."
    )
    assert of_distillation(NOTHING, size) == (
        "No difference between distilled and alone was found at 19,026 parameters (+0.1 points, "
        "-1.4 to +1.6)."
    )


def test_the_search_gained_lost_or_found_the_largest() -> None:
    assert of_search(GAINED, "cnn 4").startswith("The search gained 4.8 points (3.2 to 6.4) over")
    assert of_search(LOST, "cnn 4").endswith("largest that fits, cnn 4: take that.")
    assert of_search(NOTHING, "cnn 4").startswith("No difference to the largest that fits, cnn 4,")
    assert of_the_largest("cnn 4").endswith("is itself the largest that fits, cnn 4.")
    assert "gained at least 2.1 points over" in of_search_at_least(0.021, 0.03, "cnn 4")
    assert "No student was found that is surely" in of_search_at_least(-0.01, 0.03, "cnn 4")


def test_of_two_studies_the_better_is_named() -> None:
    assert of_two(GAINED, "a", "b") == "a is better than b by 4.8 points (3.2 to 6.4)."
    assert of_two(LOST, "a", "b") == "b is better than a by 4.8 points (3.2 to 6.4)."
    assert of_two(NOTHING, "a", "b").startswith("No difference between a and b was found")
    assert "too many seeds failed" in of_two(None, "a", "b")
