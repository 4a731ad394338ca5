"""Code that files name: nothing of it is imported unless whoever typed the command trusts it.

What is named in flags and in Python is trusted. What is named in a spec, a study or a package is
somebody's data until `--trust` (`trust=True`) says otherwise.
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from nas_kd.errors import Unusable
from nas_kd.spec.fields import PLACES, listed
from nas_kd.spec.teachers import TABLES, parts_of
from nas_kd.students import FAMILIES

OURS: Mapping[str, Collection[str]] = {
    "family": ("torchvision",),
    "co_teacher": ("torchvision",),
    "teacher": (
        "train",
        "torchvision",
        "timm",
        "python",
        "onnx",
        "pt2",
        "skops",
        "pickle",
        *TABLES,
    ),
    "data": PLACES,
    "unlabelled": PLACES,
}  # fmt: skip
"""The settings whose values can be `module:name`, each with the kinds of values that are not. A
teacher that is or may hold a pickle is not read without trust wherever it is named."""


def code_named(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What these settings name of code that is not nas-kd's: what kind it is, and its name."""
    plugins = [("plug-in", str(name)) for name in listed(settings.get("plugins", ()))]
    return plugins + [
        (setting, name)
        for setting, ours in OURS.items()
        for said in map(str, listed(settings.get(setting) or ()))
        for name in (parts_of(said) if setting == "teacher" else (said,))
        if ":" in name and name.partition(":")[0] not in ours
    ]


def trust_flag(settings: Mapping[str, Any]) -> str:
    """What a printed command needs behind it to import the code that these settings name."""
    return " --trust" * bool(code_named(settings))


def expect_trusted(
    given: str, settings: Mapping[str, Any], trust: bool, said: Mapping[str, Any] | None = None
) -> None:
    """Raise Unusable, which names it, if settings from a file name code that would be imported.

    Code is let be that is trusted, that the flags name too (`said`), or that is imported already.
    """
    known = {name for _, name in code_named(said or {})}
    here: dict[str, Collection[str]] = {
        "plug-in": sys.modules, "family": FAMILIES, "co_teacher": FAMILIES,
    }  # fmt: skip
    unknown = [
        f"{kind} {name}"
        for kind, name in code_named(settings)
        if name not in known and name not in here.get(kind, ())
    ]
    if unknown and not trust:
        wrong = f"names code that would be imported and run: {', '.join(unknown)}"
        right = "If you trust who wrote it, add --trust (from Python: trust=True)."
        raise Unusable(given, wrong, right)
