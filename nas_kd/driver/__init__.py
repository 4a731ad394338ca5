"""The study in motion: one process that proposes, trains, compares and tells."""
