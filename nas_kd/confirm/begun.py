"""How often the test split was looked at before a confirm began: those looks count, its own do not.

A confirm that has begun to score leaves a note, which goes when it ends.
"""

from collections.abc import Sequence

from pydantic import BaseModel

from nas_kd.confirm.confirmation import read_confirmation
from nas_kd.confirm.finalists import Finalist
from nas_kd.confirm.trainings import ConfirmContext, Training, kept
from nas_kd.driver.events import Step
from nas_kd.errors import UnusableStudy
from nas_kd.files import write_text
from nas_kd.records import read_record
from nas_kd.study.looks import all_scores

BEGUN = "begun.json"


class Begun(BaseModel):
    """A confirm that has begun to score, and has not ended."""

    epochs: int
    seeds: int
    looks: int
    """How many scores on the test split there were before."""


def looks_before(context: ConfirmContext, chosen: Sequence[Finalist], seeds: int) -> int:
    """How many scores on the test split there were before this confirm began; they are told.

    One that goes on, or that is only read again, has its own scores already.
    """
    ended, path = read_confirmation(context.folder.confirmation), context.folder.confirmed / BEGUN
    begun = read_record(Begun, path, f"Remove {path}.", UnusableStudy) if path.exists() else None
    like, own = (context.recipe.epochs, seeds), own_scores(context, chosen, seeds)
    if begun and (begun.epochs, begun.seeds) == like:
        looks = begun.looks
    elif own is None:
        looks = all_scores(context.folder.root)
        text = Begun(epochs=like[0], seeds=like[1], looks=looks).model_dump_json()
        write_text(path, text)
    elif ended and (ended.epochs, ended.seeds) == like:
        looks = ended.looks
    else:
        looks = max(0, all_scores(context.folder.root) - own)
    if looks:
        context.observe(Step(
            f"test      was looked at before: {looks} scores. Whatever was chosen since then leans "
            "upward"
        ))  # fmt: skip
    return looks


def own_scores(context: ConfirmContext, chosen: Sequence[Finalist], seeds: int) -> int | None:
    """How many scores a confirm has, if it has all of them."""
    places = {context.place(Training(one, seed)) for one in chosen for seed in range(seeds)}
    return None if any(kept(place) is None for place in places) else len(places)


def end(context: ConfirmContext) -> None:
    """Remove the note."""
    (context.folder.confirmed / BEGUN).unlink(missing_ok=True)
