"""Registries and plug-ins."""

import pytest

from nas_kd.errors import UnknownName, Unusable
from nas_kd.registry import Registry, import_plugins


def test_a_missing_key_names_what_there_is() -> None:
    with pytest.raises(UnknownName, match="Known: apple, pear"):
        Registry("fruit", apple=1, pear=2)["appel"]


def test_a_plugin_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(Unusable, match="no_such_module"):
        import_plugins(["no_such_module"])
