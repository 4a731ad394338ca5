"""Teacher signals: what training needs of the teacher, computed once.

Suffixes: V views, N examples of the train split, C classes.
"""

from dataclasses import dataclass

from nas_kd.data.arrays import ArrayRef


@dataclass(frozen=True, slots=True)
class Signals:
    """The teacher's answers for each view and example of the train split, and the class that it
    gives to each example of the validation split; None where it has no answers there.

    `key` is a hash of the teacher's weights, its input and output, the data and their views:
    signals of another teacher or of other data cannot be taken for these.
    """

    key: str
    logits_VNC: ArrayRef
    answers_N: ArrayRef | None
