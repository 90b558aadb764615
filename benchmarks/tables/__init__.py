"""Accuracy on real tables: skdeep's presets and their peers on the same rows and folds."""
