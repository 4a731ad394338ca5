"""Knowledge: distillation losses, pure functions that give one value an example."""

from nas_kd.knowledge.mixture import Mixture as Mixture
from nas_kd.knowledge.mixture import Outputs as Outputs
from nas_kd.knowledge.mixture import mixture as mixture
from nas_kd.knowledge.registry import KNOWLEDGE as KNOWLEDGE
from nas_kd.knowledge.term import Knowledge as Knowledge
