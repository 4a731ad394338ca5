"""Students: one family a file, its config, and decoding a sample into a student that fits."""

from torch import nn

from nas_kd.registry import Registry
from nas_kd.students.by_path import family_from_path
from nas_kd.students.cnn import CNN
from nas_kd.students.family import Family, StudentConfig
from nas_kd.students.mlp import MLP
from nas_kd.students.mobilenet import MOBILENET
from nas_kd.students.resnet import RESNET

FAMILIES: Registry[Family] = Registry(
    "family", family_from_path, cnn=CNN, mlp=MLP, mobilenet=MOBILENET, resnet=RESNET
)
"""Families by name; `FAMILIES["mine"] = MINE` adds one, `mymodule:MyNet` is one (`Widths`), and so
are `mymodule:function` and `torchvision:resnet18`, made narrower as a whole."""


def build(config: StudentConfig) -> nn.Module:
    """The student of this config, with freshly drawn weights."""
    return FAMILIES[config.family].build(config)
