"""offline: a fixed teacher, whose answers were computed before the students train."""

from nas_kd.schemes.scheme import Scheme

OFFLINE = Scheme(teacher=True)
