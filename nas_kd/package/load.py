"""A student package, loaded back: counted again, held against its budget, and proved.

Suffixes: B examples, C channels or classes, X the shape of an example.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_kd.data.columns import Column, encode_frame
from nas_kd.data.pictures import picture
from nas_kd.errors import UnusableData, UnusablePackage
from nas_kd.package.config import columns_of, read_config
from nas_kd.registry import import_plugins
from nas_kd.spec.fields import listed
from nas_kd.spec.trust import expect_trusted
from nas_kd.students import build
from nas_kd.students.family import StudentConfig

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
    ) -> None:
        super().__init__()
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

    Takes examples [B, *shape] as they are stored, gives logits [B, classes]. Raises
    UnusablePackage, and Unusable for a package that names code which is not imported yet, unless
    there is `trust`.
    """
    package = Path(package)
    facts = read_config(package)
    plugins = listed(facts["plugins"])
    code = {"plugins": plugins, "family": facts["student"]["family"]}
    expect_trusted(f"package {package}", code, trust)
    import_plugins(plugins)
    config = StudentConfig.from_json(json.dumps(facts["student"]))
    network = build(config)
    given = f"package {package}"
    try:
        network.load_state_dict(load_file(package / "weights.safetensors"))
        proof = load_file(package / "proof.safetensors")
        inputs, logits = proof["inputs"], proof["logits"]
    except (RuntimeError, SafetensorError, KeyError) as error:
        raise UnusablePackage(given, f"has other weights ({error})", "Export it again.") from error
    parameters = sum(p.numel() for p in network.parameters())
    if parameters != facts["counts"]["parameters"]:
        wrong = f"has {parameters:,} parameters, its config says {facts['counts']['parameters']:,}"
        raise UnusablePackage(given, wrong, "Export it again.")
    for cost, bound in facts["budgets"]:
        if facts["counts"][cost] > bound:
            raise UnusablePackage(
                given, f"is over its budget of {bound:,.0f} {cost}", "Export it again."
            )
    student = Student(
        network,
        facts["input"]["mean"],
        facts["input"]["std"],
        facts["input"]["shape"],
        columns_of(facts),
        facts["classes"],
    ).eval()
    try:
        with torch.inference_mode():
            off = float((student(inputs) - logits).abs().max())
    except (RuntimeError, ValueError) as error:
        wrong = f"cannot answer the examples that prove it ({error})"
        raise UnusablePackage(given, wrong, "Export it again.") from error
    if not off <= TOLERANCE * max(1.0, float(logits.abs().max())):
        wrong = f"gives logits that differ by {off:.2g} from those in the study"
        raise UnusablePackage(given, wrong, "Export it again; compare the versions in config.json.")
    return student
