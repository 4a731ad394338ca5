"""Costs: budgets as people write them, and exact counts of a network."""
