"""Records that are kept as JSON: validated when they are read back, since files get damaged, and
somebody else may have written them."""

from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from nas_kd.errors import Unusable

T = TypeVar("T")


@lru_cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What validates records of a kind."""
    return TypeAdapter(kind)


def read_json(kind: type[T], text: str | bytes) -> T:
    """The record of a kind that a JSON text has. Raises ValueError saying what is wrong."""
    try:
        found: T = adapter(cast(Hashable, kind)).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None
    return found


def read_record(kind: type[T], path: Path, right: str, fault: type[Unusable] = Unusable) -> T:
    """The record of a kind in a file. Raises the fault, naming the file, what is wrong with it, and
    what would be right."""
    try:
        return read_json(kind, path.read_bytes())
    except OSError as error:
        raise fault(str(path), f"cannot be read ({error.strerror})", right) from error
    except ValueError as error:
        raise fault(str(path), f"is not what nas-kd writes there ({error})", right) from None
