"""The knowledge terms by name."""

from nas_kd.knowledge.dist import DIST
from nas_kd.knowledge.dkd import DKD
from nas_kd.knowledge.feature import ATTENTION, FITNET
from nas_kd.knowledge.relation import CHANNEL_CORRELATION, FSP, RKD, SIMILARITY
from nas_kd.knowledge.response import KL, KL_STANDARDIZED, LOGIT_MSE
from nas_kd.knowledge.term import Knowledge
from nas_kd.registry import Registry

KNOWLEDGE: Registry[Knowledge] = Registry(
    "knowledge",
    kl=KL,
    kl_standardized=KL_STANDARDIZED,
    logit_mse=LOGIT_MSE,
    dkd=DKD,
    dist=DIST,
    fitnet=FITNET,
    attention=ATTENTION,
    rkd=RKD,
    similarity=SIMILARITY,
    channel_correlation=CHANNEL_CORRELATION,
    fsp=FSP,
)
"""Knowledge terms by name; `KNOWLEDGE["mine"] = MINE` adds one."""
