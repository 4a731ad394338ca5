"""Confirm: the found student and its controls, trained anew with several seeds and scored on the
test split, so that what is said of them holds with an interval."""
