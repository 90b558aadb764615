"""Histories are joined by column, and their epochs are numbered from 1."""

import math

from skdeep.core.history import COLUMNS, joined_history, new_history


def test_joined_histories_number_epochs_from_1_and_fill_missing_columns():
    first = {name: [1.0, 2.0] for name in COLUMNS} | {"epoch": [1, 2]}
    later = {"epoch": [1], "train_loss": [0.5], "seconds": [3.0]}
    joined = joined_history(first, later)
    assert list(joined) == list(COLUMNS)
    assert joined["epoch"] == [1, 2, 3]
    assert joined["train_loss"] == [1.0, 2.0, 0.5]
    assert joined["seconds"] == [1.0, 2.0, 3.0]
    assert joined["val_loss"][:2] == [1.0, 2.0]
    assert math.isnan(joined["val_loss"][2])
    assert first["epoch"] == [1, 2]


def test_joining_no_epochs_gives_empty_columns():
    assert joined_history(None, new_history()) == {name: [] for name in COLUMNS}
