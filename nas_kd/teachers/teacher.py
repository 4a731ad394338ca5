"""What a teacher is: how it is named, how a kind of teachers is opened, what one can be asked.

Suffixes: B rows, N rows of the transfer set, C classes, X the shape of an example.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from numpy.typing import NDArray
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape
from nas_kd.data.source import Rows_N
from nas_kd.data.transfer import TransferSet
from nas_kd.spec.teachers import FROM_PYTHON, TEACHER_FILES, TRAINED, kind_of
from nas_kd.teachers.adapting import TeacherInput


@dataclass(frozen=True, slots=True)
class Teacher:
    """How to open a teacher: its name, as in a spec, and what it is shown."""

    target: str
    """`train`, `module:function`, `torchvision:resnet18`, `onnx:PATH`, ..., or several of them
    joined by +, which are an ensemble."""
    input_shape: Shape
    classes: int
    width: int = 32
    """Of a trained teacher: the channels of its first block."""
    weights: str | None = None
    """A weight file, or the file that the teacher is; None keeps the weights that a function
    gives."""
    expects: TeacherInput = field(default_factory=TeacherInput)
    trust: bool = False
    """A file may run code when it is read."""
    parts: tuple["Teacher", ...] = ()
    """The teachers of an ensemble."""
    member: int = 0
    """The place of a trained teacher among those of its ensemble: each is drawn by another seed."""

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "ensemble" if self.parts else kind_of(self.target)

    @property
    def identity(self) -> str:
        """Its name without the paths of files or a trained one's width; keys are made of it."""
        if self.parts:
            return "+".join(part.identity for part in self.parts)
        return self.kind if self.kind in (TRAINED, *TEACHER_FILES) else self.target

    @property
    def here(self) -> bool:
        """Whether it works in this process alone."""
        return self.target.startswith(FROM_PYTHON) or any(part.here for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A teacher that is open, in eval mode and frozen."""

    answer: Callable[[Rows_N, Tensor], Tensor]
    """(row_B, examples_BX) -> logits [B, C], float32: the numbers of rows of the transfer set, and
    their examples as they are stored, perhaps as another view sees them."""
    network: nn.Module | None = None
    """A network that takes normalised examples, if it is one."""
    parameters: int | None = None
    """None where nobody can count them."""
    views: bool = True
    """Whether it can be shown other views of an example."""
    by_row: bool = False
    """Whether it answers by the number of a row: examples from elsewhere it cannot be asked."""
    known_N: NDArray | None = None  # type: ignore[type-arg]
    """Whether it has an answer to a row [N]; None where it has one to any."""
    sha256: str = ""
    """Hash of the teacher's file, or of an ensemble's parts; empty if its state dict or its answers
    identify it."""
    notes: tuple[str, ...] = ()
    """What was undone or converted to use it."""

    def knows(self, first: int, last: int) -> bool:
        """Whether it has an answer to each of these rows."""
        return self.known_N is None or bool(self.known_N[first:last].all())


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherKind:
    """One kind of teachers."""

    open: Callable[[Teacher, TransferSet, str], Answerer]
    """(teacher, data, device) -> the teacher, ready to be asked. Raises UnusableTeacher."""
    weights: bool = False
    """Whether it takes a file of weights (--teacher-weights)."""
    sees: bool = False
    """Whether it can be a network: --teacher-size, -mean, -std and -output are for those."""
    colour: bool = False
    """Whether grey pictures are repeated to three channels for it."""
    table: bool = False
    """Whether it is a table of answers."""
