"""A student package, loaded back: counted again, held against its budget, and proved.

Suffixes: B examples, C channels or classes, H and W pixels.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_kd.errors import UnusablePackage
from nas_kd.registry import import_plugins
from nas_kd.students import build
from nas_kd.students.family import StudentConfig

FILES = ("config.json", "weights.safetensors", "proof.safetensors", "card.md")
TOLERANCE = 1e-5


class Student(nn.Module):
    """A student that takes examples as they are stored, and normalises them itself."""

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.network, self.shape = network, tuple(shape)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, C] of images as they are stored: a tensor or array, uint8 or float.

        [B, C, H, W], [B, H, W, C], or [B, H, W] where there is one channel. Raises ValueError.
        """
        images_BCHW = self.arranged(torch.as_tensor(images))
        if not torch.compiler.is_compiling():
            self.look(images_BCHW)
        assert isinstance(self.mean, Tensor)
        assert isinstance(self.scale, Tensor)
        logits_BC: Tensor = self.network((images_BCHW.float() - self.mean) * self.scale)
        return logits_BC

    def look(self, images_BCHW: Tensor) -> None:
        """Warn of images that were scaled to 0..1 although those of the study were not."""
        assert isinstance(self.mean, Tensor)
        scaled = images_BCHW.is_floating_point() and 0 < float(images_BCHW.abs().max()) <= 1
        if scaled and float(self.mean.max()) > 4:
            warnings.warn(
                "these images look scaled to 0..1; the student takes values as they were stored "
                f"(mean {float(self.mean.mean()):.0f}), and normalises them itself",
                stacklevel=4,
            )

    def arranged(self, images: Tensor) -> Tensor:
        """The images as [B, C, H, W]."""
        channels, *sides = self.shape
        given = tuple(images.shape[1:])
        if given == (*sides, channels) and given != self.shape:
            return images.permute(0, 3, 1, 2)
        if given == tuple(sides) and channels == 1:
            return images[:, None]
        if given != self.shape:
            raise ValueError(f"the student takes images [B, {self.shape}], not {images.shape}")
        return images


def read_config(package: Path) -> dict[str, Any]:
    """A package's config. Raises UnusablePackage."""
    right = "Name a folder that `nas-kd export` wrote."
    if missing := [name for name in FILES if not (package / name).exists()]:
        raise UnusablePackage(f"package {package}", f"has no {', '.join(missing)}", right)
    facts: dict[str, Any] = json.loads((package / "config.json").read_text())
    return facts


def load_student(package: str | Path) -> Student:
    """The student of a package, in eval mode, after it has proved itself.

    Takes raw images [B, *shape], gives logits [B, classes]. Raises UnusablePackage.
    """
    package = Path(package)
    facts = read_config(package)
    import_plugins(facts["plugins"])
    config = StudentConfig.from_json(json.dumps(facts["student"]))
    network = build(config)
    given = f"package {package}"
    try:
        network.load_state_dict(load_file(package / "weights.safetensors"))
        proof = load_file(package / "proof.safetensors")
    except (RuntimeError, SafetensorError) as error:
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
        network, facts["input"]["mean"], facts["input"]["std"], facts["input"]["shape"]
    ).eval()
    with torch.inference_mode():
        again = student(proof["inputs"])
    off = float((again - proof["logits"]).abs().max())
    if not off <= TOLERANCE * max(1.0, float(proof["logits"].abs().max())):
        wrong = f"gives logits that differ by {off:.2g} from those in the study"
        raise UnusablePackage(given, wrong, "Export it again; compare the versions in config.json.")
    return student
