"""Histories are joined by column, and their epochs are numbered from 1."""

import math

from skdeep.history import COLUMNS, columns_with, is_score, joined_history


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
    empty = {name: [] for name in columns_with(["val_accuracy"])}
    assert joined_history(None, empty) == empty


def test_scores_of_either_part_are_columns():
    base = {name: [0.5] for name in COLUMNS}
    joined = joined_history(base | {"val_f1": [0.25]}, base | {"val_accuracy": [0.75]})
    assert list(joined) == list(columns_with(["val_f1", "val_accuracy"]))
    assert joined["val_f1"][0] == 0.25
    assert math.isnan(joined["val_f1"][1])
    assert math.isnan(joined["val_accuracy"][0])
    assert joined["val_accuracy"][1] == 0.75


def test_scores_are_all_columns_of_validation_rows_but_the_loss():
    assert [name for name in columns_with(["val_r2"]) if is_score(name)] == ["val_score", "val_r2"]
