"""Workarounds for XLA's CPU backend; the reading path of `skdeep.core` does not need them to be understood.

`rewriting` replaces operations that are slow inside loops by the rules in `convolution` (with `sliding`) and `pooling`.
`host` evaluates a traced function in NumPy, so that initial values need no compile. `aligned` makes arrays that XLA
reads in place.
"""
