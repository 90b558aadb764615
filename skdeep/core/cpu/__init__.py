"""Workarounds for XLA's CPU backend. The other files of `skdeep.core` can be understood without them.

`rewriting` replaces operations that are slow inside loops by the rules in `convolution` (with `sliding`) and `pooling`.
`host` evaluates a traced function in NumPy, so that parameter initialisation needs no compile. `aligned` makes arrays that
XLA reads without a copy.
"""
