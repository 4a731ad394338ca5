"""A student as C99: no dependency, no malloc, one arena."""
