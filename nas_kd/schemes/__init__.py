"""Schemes: who teaches a student."""

from nas_kd.registry import Registry
from nas_kd.schemes.offline import OFFLINE
from nas_kd.schemes.online import CO_TEACHER, ONLINE
from nas_kd.schemes.scheme import Scheme as Scheme
from nas_kd.schemes.self import EXITS, SELF

SCHEMES: Registry[Scheme] = Registry(
    "scheme", offline=OFFLINE, online=ONLINE, co_teacher=CO_TEACHER, self=SELF, exits=EXITS
)
"""Schemes by name; `SCHEMES["mine"] = MINE` adds one."""
