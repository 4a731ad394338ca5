"""A dict of named parts whose missing key says what there is."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from nas_kd.errors import UnknownName, Unusable

T = TypeVar("T")


class Registry(dict[str, T]):
    """Parts of one kind by name. Add one from outside with `FAMILIES["mine"] = MINE`.

    `from_path` makes a part of a name `module:attribute`, where parts of this kind can be named so.
    """

    def __init__(
        self, kind: str, from_path: Callable[[str], T] | None = None, /, **parts: T
    ) -> None:
        super().__init__(parts)
        self.kind, self.from_path = kind, from_path

    def __missing__(self, name: str) -> T:
        if self.from_path is None or ":" not in name:
            raise UnknownName(self.kind, name, tuple(self))
        self[name] = part = self.from_path(name)
        return part


def imported(module: str) -> ModuleType:
    """A module of the user's by name; the working folder is the last place where it is looked for.

    The folder is no such place before code of the user's is wanted: other libraries look for
    modules that they can do without, and would run one that lies there.
    """
    if module in sys.modules:
        return sys.modules[module]
    if not {"", os.getcwd()} & {*sys.path}:
        sys.path.append(os.getcwd())
    return import_module(module)


def import_plugins(modules: Sequence[str]) -> None:
    """Import modules that register parts. A worker has no registrations of its own.

    Raises Unusable naming the module that cannot be imported.
    """
    for module in modules:
        try:
            imported(module)
        except (ImportError, SyntaxError, ValueError, TypeError) as error:
            raise Unusable(
                f"plug-in {module!r}",
                f"cannot be imported ({error})",
                "Name an importable module, from the current folder or installed.",
            ) from error
