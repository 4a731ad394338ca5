"""What trained students reach on the test split, which no choice of these studies looks at."""

from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import load_file

from nas_kd.data.transfer import TransferSet, size
from nas_kd.front import Point, front, hypervolume
from nas_kd.students import build
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView
from nas_kd.training import answer, tensor

torch.set_num_threads(1)


def split_of(folder: StudyFolder) -> TransferSet:
    """The data of a study as they were split."""
    return TransferSet.from_json(folder.data.read_text())


def test_examples(view: StudyView) -> int:
    """How many examples the test split has."""
    return size(split_of(view.folder).test)


def test_accuracies(view: StudyView) -> dict[int, float]:
    """The accuracy on the test split of each student that was trained to the end, by trial."""
    data = split_of(view.folder)
    truth_N = tensor(data.labels)[slice(*data.test)]
    found = {}
    for row in view.rows:
        weights = view.folder.student(row.number) / "weights.safetensors"
        if row.accuracy is not None and weights.exists():
            network = build(row.config)
            network.load_state_dict(load_file(weights))
            right_N = answer(network, data, data.test).argmax(-1) == truth_N
            found[row.number] = float(right_N.double().mean())
    return found


def unseen_hypervolume(
    points: Sequence[Point], test: Mapping[int, float], budget: float, chance: float, examples: int
) -> float:
    """The hypervolume on the test split of the front that the validation split chose.

    At each cost the student counts that has the best validation accuracy at no more cost, by what
    it reaches on so many test `examples`.
    """
    chosen = front(points)
    total, ends = 0.0, [*(point.cost for point in chosen[1:]), float("inf")]
    for point, end in zip(chosen, ends, strict=True):
        alone = [Point(point.trial, test[point.trial], point.cost)]
        total += hypervolume(alone, budget, chance, examples)
        if end < budget:
            after = [Point(point.trial, test[point.trial], end)]
            total -= hypervolume(after, budget, chance, examples)
    return total
