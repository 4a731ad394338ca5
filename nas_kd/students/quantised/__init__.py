"""Students in 8 bits: a trained network becomes a program of integer operations."""

from nas_kd.students.quantised.lowering import expect_quantisable, lowered
from nas_kd.students.quantised.operations import Program
from nas_kd.students.quantised.plan import Plan, planned, ranges_of

__all__ = ["Plan", "Program", "expect_quantisable", "lowered", "planned", "ranges_of"]
