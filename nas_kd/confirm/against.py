"""Two studies on the same data, best against best: the comparison of two ways to search."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from nas_kd.confirm.asked import Asked
from nas_kd.confirm.begun import end, looks_before
from nas_kd.confirm.confirm import estimate, say_plan, scored, working
from nas_kd.confirm.confirmation import Confirmed, Seeds, confirmed, difference
from nas_kd.confirm.finalists import BEST, Finalist
from nas_kd.confirm.opening import Opened, opened
from nas_kd.data.arrays import content
from nas_kd.data.transfer import TransferSet
from nas_kd.driver.drive import expect_families
from nas_kd.driver.events import Observe
from nas_kd.driver.options import RunOptions
from nas_kd.errors import InvalidSpec, Unusable
from nas_kd.files import write_text
from nas_kd.intervals import Estimate
from nas_kd.metrics import METRICS
from nas_kd.verdict import of_two


class Against(BaseModel):
    """The best students of two studies, and what the first is better by."""

    model_config = ConfigDict(frozen=True)

    when: str
    metric: str
    seeds: int
    examples: int
    studies: tuple[str, str]
    epochs: tuple[int, int]
    students: tuple[Confirmed, Confirmed]
    teachers: tuple[float | None, float | None]
    difference: Estimate | None
    """The first minus the second; None if too many seeds failed."""
    sentence: str
    looks: tuple[int, int]
    """How many scores on the test split each study had before."""


def against(first: RunOptions, second: RunOptions, asked: Asked, observe: Observe) -> Against:
    """Confirm the best students of two studies with the same seeds, and compare them, paired.

    The result is kept in the first study's folder. Raises Unusable for studies that cannot be
    compared, and what `confirm` raises.
    """
    asked.expect_sound()
    if asked.baseline or asked.random or asked.front or asked.trials:
        wrong = "--baseline, --random, --front, --trial: two studies are compared best against best"
        raise InvalidSpec((wrong,))
    both = first.folder.resolve(), second.folder.resolve()
    if both[0] == both[1]:
        raise Unusable(str(both[0]), "is one study, named twice", "Name two, or one once.")
    with (
        working(first, observe) as queue,
        opened(first, asked.epochs, asked.data, queue, observe) as one,
        opened(second, asked.epochs, asked.data, queue, observe) as other,
    ):
        expect_comparable(one, other)
        found = [best_of(study, asked, first.workers) for study in (one, other)]
        metric = one.view.spec.metric
        over = difference(found[0].seeds, found[1].seeds, one.labels_N, metric)
        students = tuple(
            confirmed(best.finalist, best.seeds, asked.seeds, one.labels_N, metric, None)
            for best in found
        )
        same = both[0].name == both[1].name
        names = (str(both[0]), str(both[1])) if same else (both[0].name, both[1].name)
        result = Against(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            metric=metric,
            seeds=asked.seeds,
            examples=len(one.labels_N),
            studies=names,
            epochs=(one.context.recipe.epochs, other.context.recipe.epochs),
            students=(students[0], students[1]),
            teachers=(teacher_score(one, found[0]), teacher_score(other, found[1])),
            difference=over,
            sentence=of_two(over, *names),
            looks=(found[0].looks, found[1].looks),
        )
        name = f"{both[1].parent.name}-{both[1].name}" if same else both[1].name
        write_text(both[0] / f"against-{name}.json", result.model_dump_json(indent=1))
        for study in (one, other):
            end(study.context)
    return result


@dataclass(frozen=True, slots=True)
class Best:
    """The best student of a study: what it reaches with each seed, and how many scores on the test
    split the study had before."""

    finalist: Finalist
    seeds: Seeds
    looks: int


def teacher_score(study: Opened, best: Best) -> float | None:
    """What the teacher of a study's best student reaches on the test split."""
    spec = study.view.spec
    name = spec.teacher_of(best.finalist.settings)
    return None if name is None else study.teachers[spec.teacher.index(name)]


def best_of(study: Opened, asked: Asked, workers: int) -> Best:
    """Train and score the best student of a study."""
    context, best = study.context, Finalist.of(BEST, study.view.pick(BEST))
    expect_families(study.view.spec, [best.config])
    say_plan(context, [best], asked.seeds)
    estimate(context, [best], asked.seeds, workers)
    looks = looks_before(context, [best], asked.seeds)
    return Best(best, scored(context, [best], asked.seeds)[best.key], looks)


def tested(data: TransferSet) -> tuple[str, str]:
    """Hashes of the test examples and of their labels; what students learned from may differ."""
    rows = slice(*data.test)
    return content(data.examples.open()[rows]), content(data.labels.open()[rows])


def expect_comparable(one: Opened, other: Opened) -> None:
    """Raise Unusable for studies on different data, or of different metrics."""
    names = [study.view.folder.root.name for study in (one, other)]
    given = f"confirm {' '.join(names)}"
    data = [study.context.recipe.data for study in (one, other)]
    metrics = [study.view.spec.metric for study in (one, other)]
    if metrics[0] != metrics[1]:
        wrong = f"compares {metrics[0]} with {metrics[1]}"
        raise Unusable(given, wrong, "Search both with one --metric.")
    if METRICS[metrics[0]].of_teacher:
        wrong = "compares agreements with two teachers"
        raise Unusable(given, wrong, "Search both with --metric accuracy.")
    if tested(data[0]) != tested(data[1]):
        both = f"{data[0].name} and {data[1].name}"
        wrong = f"have other test examples: {both}, or other splits of them"
        right = "Two studies are compared on one test split: search both on the same data."
        raise Unusable(given, wrong, right)
