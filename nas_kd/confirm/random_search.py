"""A random search of the same space within the same student-epochs, as a control of the search."""

from dataclasses import replace

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Observe, Step
from nas_kd.driver.options import RunOptions
from nas_kd.driver.teacher_folder import kept_names, kept_weights
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView, read_study


def best_of_random(view: StudyView, options: RunOptions, observe: Observe) -> StudentRecord:
    """The best student of the random search, which is run in the study's folder, or taken from
    there. It begins with the same default students and stops nobody. Raises NasKDError."""
    folder, trials = view.folder, trials_for(view)
    spec = view.spec.model_copy(update={
        "sampler": "random", "rungs": (), "trials": trials, "epochs": view.epochs,
        "teacher": kept_names(folder, view.spec.teacher),
    })  # fmt: skip
    place = StudyFolder(folder.confirmed / f"random-{trials}")
    weights = kept_weights(folder, len(view.spec.teacher))
    observe(Step(f"random    searching {trials} students of {view.epochs} epochs, as the search "
                 "trained in all"))  # fmt: skip
    drive(spec, replace(options, folder=place.root, teacher_weights=weights), observe)
    return read_study(place).pick("best")


def trials_for(view: StudyView) -> int:
    """How many whole trainings the search's trials took together, the default students at least."""
    epochs = sum(row.rungs[-1][0] for row in view.rows if row.rungs and row.duplicate_of is None)
    return max(int(view.facts["fixed"]), round(epochs / view.epochs))
