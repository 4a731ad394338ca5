"""Relation knowledge: how examples, channels or layers stand to each other in the teacher.

Suffixes: B examples (J, K their partners), F features, C channels (D of a second layer), X the
sides of a map, P its positions.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize, smooth_l1_loss

from nas_kd.knowledge.feature import of_equal_sides, one_by_one
from nas_kd.knowledge.term import Features, Knowledge

ANGLES = 2.0
"""The weight of angles beside distances, as in the paper."""


def rkd(student: Features, teacher: Features) -> Tensor:
    """How far a student's embeddings are from each other, and at which angles, compared with the
    teacher's, [B].

    Park, Kim, Lu, Cho 2019, "Relational Knowledge Distillation", sections 3.2.1 and
    3.2.2, https://arxiv.org/abs/1904.05068. Means over the batch, the example itself counted;
    distances are divided by their mean over pairs.
    """
    (ours_BF,), (theirs_BF,) = as_vectors(student), as_vectors(teacher)
    far_B = smooth_l1_loss(distances(ours_BF), distances(theirs_BF), reduction="none").mean(-1)
    turned_BJK = smooth_l1_loss(angles(ours_BF), angles(theirs_BF), reduction="none")
    return far_B + ANGLES * turned_BJK.mean((-2, -1))


def as_vectors(features: Features) -> Features:
    """Each layer as one vector an example, [B, F]."""
    return tuple(features_BCX.flatten(1) for features_BCX in features)


LEAST_SQUARE = 1e-12
LEAST_MEAN = 1e-12


def distances(vectors_BF: Tensor) -> Tensor:
    """Distances [B, J] between examples, divided by their mean over pairs."""
    vectors_BF = vectors_BF - vectors_BF.mean(0)  # for far from the origin squares lose digits
    square_B = vectors_BF.square().sum(-1)
    square_BJ = square_B[:, None] + square_B[None] - 2 * vectors_BF @ vectors_BF.T
    itself_BJ = torch.eye(len(vectors_BF), dtype=torch.bool, device=vectors_BF.device)
    far_BJ = square_BJ.clamp_min(LEAST_SQUARE).sqrt().masked_fill(itself_BJ, 0.0)
    mean = far_BJ.sum() / max(1, len(far_BJ) * (len(far_BJ) - 1))
    return far_BJ / mean.clamp_min(LEAST_MEAN)


def angles(vectors_BF: Tensor) -> Tensor:
    """Cosines [B, J, K] of the angle at an example between the directions to two others."""
    toward_BJF = normalize(vectors_BF[None] - vectors_BF[:, None], dim=-1)
    return toward_BJF @ toward_BJF.transpose(-1, -2)


def similarity(student: Features, teacher: Features) -> Tensor:
    """The squared distance of an example's similarities to the others of its batch, [B].

    Tung, Mori 2019, "Similarity-Preserving Knowledge Distillation", section 3.1,
    https://arxiv.org/abs/1907.09682, times B, which makes a mean over examples of theirs.
    """
    (ours_BF,), (theirs_BF,) = as_vectors(student), as_vectors(teacher)
    return (similarities(ours_BF) - similarities(theirs_BF)).square().sum(-1)


def similarities(vectors_BF: Tensor) -> Tensor:
    """Products [B, J] of examples, each row of length 1."""
    return normalize(vectors_BF @ vectors_BF.T, dim=-1)


def correlations(features: Features) -> Features:
    """Cosines [B, C, C] between the channels of a layer, over its positions."""
    rows = (normalize(maps_BCX.flatten(2), dim=-1) for maps_BCX in features)
    return tuple(row_BCP @ row_BCP.transpose(-1, -2) for row_BCP in rows)


def channel_correlation(student: Features, teacher: Features) -> Tensor:
    """The squared difference of correlations between channels, [B], summed over a channel's
    partners and averaged over channels.

    Liu, Huang, Lin, Xie, Wang, Chang, Liang 2021, "Exploring Inter-Channel Correlation for
    Diversity-preserved Knowledge Distillation", https://arxiv.org/abs/2202.03680, of
    channels of length 1, so that only how they go together counts.
    """
    (ours_BCC,), (theirs_BCC,) = correlations(student), teacher
    return (ours_BCC - theirs_BCC).square().sum(-1).mean(-1)


def flow(features: Features) -> Features:
    """The products [B, C, D] of the channels of a first and a second layer, averaged over
    positions."""
    first_BCX, second_BDX = of_equal_sides(*features)
    first_BCP, second_BDP = first_BCX.flatten(2), second_BDX.flatten(2)
    return (first_BCP @ second_BDP.transpose(-1, -2) / first_BCP.shape[-1],)


def fsp(student: Features, teacher: Features) -> Tensor:
    """The mean squared difference of the flow between two layers, [B].

    Yim, Joo, Bae, Kim 2017, "A Gift from Knowledge Distillation", equations 1 and 2 (the matrix of
    the flow of the solution procedure), with means over positions in place of their maxima.
    """
    (ours_BCD,), (theirs_BCD,) = flow(student), teacher
    return (ours_BCD - theirs_BCD).flatten(1).square().mean(-1)


RKD = Knowledge(loss=rkd, weight=25, tempered=False, layers="embedding", keep=as_vectors)
SIMILARITY = Knowledge(loss=similarity, weight=20, tempered=False, layers="last", keep=as_vectors)
CHANNEL_CORRELATION = Knowledge(
    loss=channel_correlation, tempered=False, layers="last", maps=True, keep=correlations,
    adapter=one_by_one,
)  # fmt: skip
FSP = Knowledge(
    loss=fsp, weight=10, tempered=False, layers="ends", maps=True, keep=flow, adapter=one_by_one
)
