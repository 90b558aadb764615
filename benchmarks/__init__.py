"""Benchmarks: skdeep and its peers side by side, in alternation, in one run."""
