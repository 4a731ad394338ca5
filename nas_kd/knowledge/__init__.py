"""Knowledge: one distillation loss a file, pure functions whose leading dimensions broadcast."""

from nas_kd.knowledge.response import KL
from nas_kd.knowledge.term import Knowledge
from nas_kd.registry import Registry

KNOWLEDGE: Registry[Knowledge] = Registry("knowledge", kl=KL)
"""Knowledge terms by name; `KNOWLEDGE["mine"] = MINE` adds one."""
