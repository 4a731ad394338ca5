"""Files are written whole or not at all."""

from pathlib import Path
from typing import BinaryIO

import pytest

from nas_kd.files import replace, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        replace(path, fail)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
