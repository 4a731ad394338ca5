"""A student package, loaded back: counted again, held against its budget, and proved.

Suffixes: B examples, C channels or classes, X the shape of an example.
"""

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_kd.costs.budgets import COSTS, WHOLE
from nas_kd.costs.counting import counted
from nas_kd.data.columns import Column, encode_frame
from nas_kd.data.pictures import picture
from nas_kd.errors import UnusableData, UnusablePackage
from nas_kd.package.config import columns_of, read_config
from nas_kd.package.seal import expect_whole
from nas_kd.registry import import_plugins
from nas_kd.spec.fields import listed
from nas_kd.spec.trust import expect_trusted
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import Program, lowered, planned

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-5

PIECE = 512
"""Examples that are answered at once."""


class Student(nn.Module):
    """A student that takes examples as they are stored, and normalises them itself."""

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        shape: tuple[int, ...],
        columns: Sequence[Column] = (),
        classes: Sequence[str] = (),
        program: Program | None = None,
    ) -> None:
        super().__init__()
        self.program = program
        """Its arithmetic in integers, of a student of 8 bits; then the network only trained it."""
        self.network, self.shape, self.columns = network, tuple(shape), tuple(columns)
        self.classes = tuple(classes)
        """What the class of each logit is called."""
        column = (-1, *(1 for _ in self.shape[1:]))
        self.register_buffer("mean", torch.tensor(mean).view(column), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(std).view(column), persistent=False)

    def forward(self, examples: Tensor) -> Tensor:
        """Logits [B, C] of examples as they are stored: a tensor or array, uint8 or float.

        Pictures [B, C, H, W] or [B, H, W, C], signals [B, C, L] or [B, L, C], either without C
        where there is one channel; tables [B, F]. Raises ValueError.
        """
        examples_BX = self.arranged(torch.as_tensor(examples))
        if not torch.compiler.is_compiling():
            self.look(examples_BX)
        if self.program is not None:
            return self.program(examples_BX)
        assert isinstance(self.mean, Tensor)
        assert isinstance(self.scale, Tensor)
        logits_BC: Tensor = self.network((examples_BX.float() - self.mean) * self.scale)
        return logits_BC

    def encode(self, given: "pd.DataFrame | str | Path") -> Tensor:
        """A table's rows, or the file of a picture, as the examples [B, *shape] that the student
        takes, as in the study.

        Warns of a column whose words the study did not have. Raises UnusableData for a frame
        without the study's columns, and for a file that is no picture.
        """
        if isinstance(given, str | Path):
            channels, *sides = self.shape
            if len(sides) != 2 or sides[0] != sides[1]:
                right = "Call it with examples as they are stored."
                raise UnusableData(str(given), "the student takes no pictures from files", right)
            mode = "L" if channels == 1 else "RGB"
            return torch.from_numpy(picture(Path(given), mode, sides[0])[0].copy())[None]
        if not self.columns:
            right = "Call it with examples as they are stored."
            raise UnusableData("the student", "was not searched on a table", right)
        return torch.from_numpy(encode_frame(given, self.columns))

    def predict(self, given: "pd.DataFrame | str | Path | NDArray[Any] | Tensor") -> NDArray[Any]:
        """The likeliest class of each example [B]: its number where all classes are called by whole
        numbers, else its name.

        Takes what `forward` takes, or what `encode` takes: a frame, or the file of a picture.
        Raises ValueError for other shapes, UnusableData.
        """
        called: NDArray[Any] = np.array(self.classes)
        if all(name.isdecimal() and str(int(name)) == name for name in self.classes):
            called = called.astype(np.int64)
        found: NDArray[Any] = called[self.answer(given).argmax(-1).numpy()]
        return found

    def predict_proba(
        self, given: "pd.DataFrame | str | Path | NDArray[Any] | Tensor"
    ) -> NDArray[Any]:
        """The probability of each class [B, C], in the order of `classes`; takes and raises what
        `predict` does."""
        shares_BC: NDArray[Any] = self.answer(given).softmax(-1).numpy()
        return shares_BC

    @torch.inference_mode()
    def answer(self, given: "pd.DataFrame | str | Path | NDArray[Any] | Tensor") -> Tensor:
        """The logits [B, C] of examples, a piece at a time, without gradients."""
        if isinstance(given, Tensor):
            examples = given
        elif isinstance(given, np.ndarray | list | tuple):
            examples = torch.from_numpy(np.array(given))  # a copy: it may be read-only
        else:
            examples = self.encode(given)
        return torch.cat([self(piece) for piece in examples.split(PIECE)])

    def look(self, examples_BX: Tensor) -> None:
        """Warn of values that were scaled to 0..1 although those of the study were not."""
        assert isinstance(self.mean, Tensor)
        if not examples_BX.numel():
            return
        scaled = examples_BX.is_floating_point() and 0 < float(examples_BX.abs().max()) <= 1
        if scaled and float(self.mean.max()) > 4:
            warnings.warn(
                "these examples look scaled to 0..1; the student takes values as they were stored "
                f"(mean {float(self.mean.mean()):.0f}), and normalises them itself",
                stacklevel=4,
            )

    def arranged(self, examples: Tensor) -> Tensor:
        """The examples as [B, *shape], channels first."""
        channels, *sides = self.shape
        given = tuple(examples.shape[1:])
        if given == (*sides, channels) and given != self.shape:
            return examples.movedim(-1, 1)
        if given == tuple(sides) and channels == 1:
            return examples[:, None]
        if given != self.shape:
            shape = ", ".join(map(str, self.shape))
            raise ValueError(f"the student takes examples [B, {shape}], not {examples.shape}")
        return examples


def load_student(package: str | Path, trust: bool = False) -> Student:
    """The student of a package, in eval mode, after it has proved itself.

    Takes examples [B, *shape] as they are stored, gives logits [B, classes]; a student of 8 bits
    computes them in integers. Raises UnusablePackage, and Unusable for a package that names code
    which is not imported yet, unless there is `trust`.
    """
    package = Path(package)
    found = opened(package, trust)
    expect_whole(package, classes_of(found.answers()), found.costs)
    return found.student


@dataclass(frozen=True, slots=True)
class Opened:
    """A package's student, proved but for the hashes of its files."""

    facts: Mapping[str, Any]
    student: Student
    program: Program | None
    """Its arithmetic in integers, of any student that was exported with it."""
    inputs_NX: Tensor
    costs: Mapping[str, int]

    def answers(self) -> dict[str, Tensor]:
        """The logits [N, C] to the inputs, by the arithmetic."""
        with torch.no_grad():
            float32 = {"float32": as_floats(self.student)(self.inputs_NX)}
        return float32 | ({"int8": self.program(self.inputs_NX)} if self.program else {})


def classes_of(answers: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """The likeliest class of each input, by the arithmetic."""
    return {name: logits_NC.argmax(-1).tolist() for name, logits_NC in answers.items()}


def as_floats(student: Student) -> Student:
    """The same student without integers."""
    found = copy.copy(student)
    found.program = None
    return found


def opened(package: Path, trust: bool) -> Opened:
    """What a package holds, counted again and held against its stored answers. Raises
    UnusablePackage, Unusable."""
    facts, given = read_config(package), f"package {package}"
    config, network = network_of(given, facts, trust, package / "weights.safetensors")
    try:
        network.load_state_dict(load_file(package / "weights.safetensors"))
        proof = load_file(package / "proof.safetensors")
        inputs, ranges = proof["inputs"], proof.get("ranges")
    except (RuntimeError, SafetensorError, KeyError) as error:
        raise UnusablePackage(given, f"has other weights ({error})", "Export it again.") from error
    costs = recounted(network, config)
    expect_costs(given, facts, costs)
    program = None
    try:
        if ranges is not None:
            plan = planned(network, config.input_shape)
            program = lowered(plan, ranges, facts["input"]["mean"], facts["input"]["std"])
        elif config.bits != WHOLE:
            raise UnusablePackage(given, "has no ranges of its 8-bit codes", "Export it again.")
        student = Student(
            network, facts["input"]["mean"], facts["input"]["std"], facts["input"]["shape"],
            columns_of(facts), facts["classes"], program if config.bits != WHOLE else None,
        ).eval()  # fmt: skip
        found = Opened(facts, student, program, inputs, costs)
        for name, logits in found.answers().items():
            expect_answers(given, name, logits, proof[name])
    except (RuntimeError, ValueError, KeyError) as error:
        wrong = f"cannot answer the examples that prove it ({error})"
        raise UnusablePackage(given, wrong, "Export it again.") from error
    return found


def network_of(
    given: str, facts: Mapping[str, Any], trust: bool, weights: Path
) -> tuple[StudentConfig, nn.Module]:
    """A package's student by its config, with fresh weights, in eval mode. Raises Unusable for code
    that it names and that is not imported yet, unless there is `trust`, and UnusablePackage for a
    network that is larger than the file of its weights."""
    plugins = listed(facts["plugins"])
    code = {"plugins": plugins, "family": facts["student"]["family"]}
    expect_trusted(given, code, trust)
    import_plugins(plugins)
    config = StudentConfig.from_json(json.dumps(facts["student"]))
    try:
        with torch.device("meta"):
            size = sum(value.nbytes for value in build(config).state_dict().values())
    except (RuntimeError, ValueError) as error:
        raise UnusablePackage(given, f"names no student ({error})", "Export it again.") from error
    if size > weights.stat().st_size:
        wrong = f"has other weights: its network takes {size:,} bytes, and their file has fewer"
        raise UnusablePackage(given, wrong, "Export it again.")
    return config, build(config).eval()


def recounted(network: nn.Module, config: StudentConfig) -> dict[str, int]:
    """What a network costs, counted by what it does."""
    size = counted(network, config.input_shape)
    return {name: count(size, config.bits) for name, count in COSTS.items()}


def expect_costs(given: str, facts: Mapping[str, Any], costs: Mapping[str, int]) -> None:
    """Raise UnusablePackage where the config says other costs, or one is over its budget."""
    for name, value in costs.items():
        if (claimed := facts["counts"].get(name, value)) != value:
            wrong = f"has {value:,} {name}, its config says {claimed:,}"
            raise UnusablePackage(given, wrong, "Export it again.")
    for cost, bound in facts["budgets"]:
        if facts["counts"][cost] > bound:
            raise UnusablePackage(
                given, f"is over its budget of {bound:,.0f} {cost}", "Export it again."
            )


def expect_answers(given: str, name: str, logits: Tensor, kept: Tensor) -> None:
    """Raise UnusablePackage for logits that are not those that were stored: within a rounding in
    floats, to the bit in integers."""
    off = float((logits - kept).abs().max())
    bound = TOLERANCE * max(1.0, float(kept.abs().max())) if name == "float32" else 0.0
    if not off <= bound:
        wrong = f"gives logits that differ by {off:.2g} in {name} from those in the study"
        raise UnusablePackage(given, wrong, "Export it again; compare the versions in config.json.")
