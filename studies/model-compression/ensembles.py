"""The data, and the members of the teacher, each fitted on the train split alone."""

from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

SEED = 0
MEMORY = Memory("runs/members", verbose=0)
"""Each member is fitted once, for all processes."""


def parts(X: Any, y: Any) -> dict[str, Any]:
    """Train, validation and test: six, two and two tenths."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)
    return {"train": (X, y), "validation": (X_val, y_val), "test": (X_test, y_test)}


@lru_cache
def digits() -> dict[str, Any]:
    """scikit-learn's digits as 64 features."""
    X, y = load_digits(return_X_y=True)
    return parts(X.astype(np.float32), y)


@lru_cache
def letter() -> dict[str, Any]:
    """Frey and Slate's letters: 20,000 rows of 16 features, 26 classes."""
    frame = pd.read_csv("letter.csv")
    X = frame.drop(columns="lettr").to_numpy(np.float32)
    return parts(X, frame["lettr"].to_numpy(str))


def rows(name: str) -> tuple[Any, Any]:
    """The train split of one of both."""
    X, y = {"digits": digits, "letter": letter}[name]()["train"]
    return X, y


@MEMORY.cache
def forest(name: str) -> Any:
    """Extremely randomised trees."""
    return ExtraTreesClassifier(300, random_state=SEED).fit(*rows(name))


@MEMORY.cache
def boosted(name: str) -> Any:
    """Boosted trees."""
    return HistGradientBoostingClassifier(random_state=SEED).fit(*rows(name))


@MEMORY.cache
def neighbours(name: str) -> Any:
    """The nearest neighbours, weighed by their distance."""
    return KNeighborsClassifier(5, weights="distance").fit(*rows(name))


digits_forest, letter_forest = partial(forest, "digits"), partial(forest, "letter")
digits_boosted, letter_boosted = partial(boosted, "digits"), partial(boosted, "letter")
digits_neighbours = partial(neighbours, "digits")
letter_neighbours = partial(neighbours, "letter")
