"""Benchmarks of skdeep and its peers, which alternate within one run."""
