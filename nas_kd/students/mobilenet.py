"""Depthwise separable networks: a 3x3 convolution, then blocks of a depthwise 3x3 and a 1x1.

Howard et al. 2017, "MobileNets", section 3.1, https://arxiv.org/abs/1704.04861. A block costs about
an eighth of an ordinary one's MACs and weights. The first blocks halve the picture as `cnn` does.
"""

from torch import nn

from nas_kd.costs import Counts
from nas_kd.students.cnn import blocks, with_head
from nas_kd.students.family import Family, StudentConfig


def build(config: StudentConfig) -> nn.Module:
    """A convolution, separable blocks, the mean over the picture, one logit a class."""
    layers: list[nn.Module] = []
    for block, (fan_in, fan_out, stride, _) in enumerate(blocks(config)):
        if block:
            depthwise = nn.Conv2d(fan_in, fan_in, 3, stride, 1, groups=fan_in, bias=False)
            layers += [depthwise, nn.BatchNorm2d(fan_in), nn.ReLU()]
            layers.append(nn.Conv2d(fan_in, fan_out, 1, bias=False))
        else:
            layers.append(nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=False))
        layers += [nn.BatchNorm2d(fan_out), nn.ReLU()]
    head = nn.Linear(config.channels[-1], config.classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def counts(config: StudentConfig) -> Counts:
    """Nine weights a channel and one a pair of channels in a block; norms are two a channel."""
    weights = macs = channels = 0
    for block, (fan_in, fan_out, _, (height, width)) in enumerate(blocks(config)):
        here = 9 * fan_in + fan_in * fan_out if block else 9 * fan_in * fan_out
        weights += here
        macs += here * height * width
        channels += fan_out + (fan_in if block else 0)
    return with_head(config, weights, macs, channels)


MOBILENET = Family(build=build, counts=counts, default_depth=6, default_taper=1.2)
