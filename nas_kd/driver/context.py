"""What the driver's parts share while a study is being searched."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nas_kd.data.signals import Signals
from nas_kd.driver.events import Observe
from nas_kd.space.first import first_samples
from nas_kd.space.space import Space
from nas_kd.spec import StudySpec
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.training import RungResult
from nas_kd.training.recipe import Recipe
from nas_kd.workers.job_queue import JobQueue


@dataclass(frozen=True, slots=True)
class StageContext:
    """What every stage of a search shares."""

    recipe: Recipe
    folder: StudyFolder
    queue: JobQueue
    observe: Observe

    @property
    def spec(self) -> StudySpec:
        """What decides the study."""
        return self.recipe.spec


@dataclass(frozen=True, slots=True)
class SearchContext(StageContext):
    """A study whose students are being searched."""

    ledger: Ledger
    space: Space
    signals: Mapping[str, Signals]
    """Of each teacher, by its name."""
    begun: dict[str, list[RungResult]] = field(default_factory=dict)
    """The twins that were begun before it was known whose is wanted, by the name of their job; each
    with its result, once it is there."""

    @property
    def axis(self) -> str:
        """The kind of cost that the first budget bounds: the front's axis."""
        return self.space.budgets[0].cost


def weight_seed_trial(space: Space, trial: int) -> int:
    """The trial whose initial weights a trial has: its own, or of a default student without the
    teacher those of the same student with it, so that each is the other's twin."""
    first = first_samples(space)
    alone = 0 < trial < len(first) and first[trial]["alpha"] == 0
    return trial - 1 if alone and first[trial - 1]["alpha"] > 0 else trial
