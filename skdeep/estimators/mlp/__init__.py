"""`MLPClassifier` and `MLPRegressor`: scikit-learn's perceptron on skdeep's core.

Read `base.py` first: the constructor and the path of `fit`. `perceptron.py` is the network and the order of
its weights, `solvers.py` the updates, `rules.py` what is minimised, watched and when training ends,
`orders.py` the shuffles, `memory.py` what a later call goes on from, `printing.py` the lines of `verbose`,
`lbfgs.py` SciPy's L-BFGS-B over the compiled loss and gradient.
"""
