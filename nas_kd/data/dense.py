"""Whatever holds numbers as a numpy array: tensors of any kind, sparse matrices, lists."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.errors import UnusableData

MOST = 2**27
"""Numbers that a sparse matrix may have once its zeros are written out."""


def dense(found: Any, given: str) -> NDArray[Any]:
    """The array: of tensors that want gradients, lie on a device, are sparse or bfloat16, too; of
    scipy's sparse matrices; and of what numpy can take itself. Raises UnusableData."""
    scattered = hasattr(found, "toarray") or str(getattr(found, "layout", "")).startswith(SCATTERED)
    if scattered and prod(found.shape) > MOST:
        wrong = f"is sparse, of shape {tuple(found.shape)}: too large once its zeros are written"
        raise UnusableData(given, wrong, "Take fewer columns, or join them.")
    try:
        if hasattr(found, "toarray"):
            found = found.toarray()
        if hasattr(found, "detach"):
            plain = found.detach().cpu()
            plain = plain.to_dense() if scattered else plain
            found = plain.float() if str(plain.dtype) == "torch.bfloat16" else plain.numpy()
        if np.ma.is_masked(found):
            wrong = "has values that are masked"
            raise UnusableData(given, wrong, "Fill them, as with .filled(VALUE).")
        return np.asarray(found)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UnusableData(given, f"is no array ({error})", "Give numbers.") from error


SCATTERED = "torch.sparse"
"""How the layouts of sparse tensors are called."""
