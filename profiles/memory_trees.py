"""The memory of gradient-boosted trees: the table as it is read, XGBoost's own matrix, what a round works with."""

from __future__ import annotations

from profiles.memory import Components

# Python with scikit-learn and XGBoost, resident: runs on some hundred rows peaked at 225 MiB (XGBoost 3.2).
_PROCESS_BYTES = 240 * 2**20
# A cell of a pandas table: 8 bytes of a number, held twice while columns are made into features.
_TABLE_BYTES = 16
# A cell of a DMatrix is an Entry of 8 bytes (xgboost/data.h), of the binned matrix of `hist` a byte up to 256 bins.
_ENTRY_BYTES, _BIN_BYTES = 8, 1
# A row in each class: gradient and hessian of 4 bytes each, the prediction of either side, the position in the tree.
_ROW_BYTES = 20
# A node of a histogram: 256 bins of a feature, two sums of 8 bytes.
_HISTOGRAM_BYTES = 256 * 16
_DEPTH = 6
# What one cell more or less weighs is known well, how pandas copies is not.
TREES_MARGIN = 0.5


def trees_memory(rows: int, features: int, classes: int = 1, depth: int = _DEPTH, on_gpu: bool = False) -> Components:
    """The peak of training on a table, in the memory of the machine; on a GPU the parts that lie there.

    `classes` is 1 for numbers and for two classes, else how many there are.
    """
    cells = rows * features
    histograms = min(2**depth, 2**10) * features * _HISTOGRAM_BYTES
    matrix = cells * (_BIN_BYTES if on_gpu else _ENTRY_BYTES + _BIN_BYTES)
    if on_gpu:
        return Components(
            activations=matrix, gradients=rows * classes * _ROW_BYTES, workspace=histograms, context=2**29
        )
    return Components(
        weights=cells * _TABLE_BYTES,
        activations=matrix,
        gradients=rows * classes * _ROW_BYTES,
        workspace=histograms,
        context=_PROCESS_BYTES,
    )
