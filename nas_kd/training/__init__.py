"""Training: a cohort of students from one rung to the next, and what a teacher shares of it."""

from nas_kd.training.adamw import AdamW as AdamW
from nas_kd.training.batches import memory_format as memory_format
from nas_kd.training.batches import normaliser as normaliser
from nas_kd.training.batches import tensor as tensor
from nas_kd.training.checkpoints import PROOF as PROOF
from nas_kd.training.checkpoints import weights as weights
from nas_kd.training.cohort import build_cohort as build_cohort
from nas_kd.training.cohort import run_rung as run_rung
from nas_kd.training.data_parallel import shared as shared
from nas_kd.training.jobs import BATCH as BATCH
from nas_kd.training.jobs import Member as Member
from nas_kd.training.jobs import RungJob as RungJob
from nas_kd.training.jobs import RungResult as RungResult
from nas_kd.training.jobs import TrainSettings as TrainSettings
from nas_kd.training.jobs import default_batch as default_batch
from nas_kd.training.loop import Schedule as Schedule
from nas_kd.training.loop import answer as answer
from nas_kd.training.loop import derive as derive
from nas_kd.training.loop import fit as fit
from nas_kd.training.loop import order as order
