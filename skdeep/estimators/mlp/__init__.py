"""`MLPClassifier` and `MLPRegressor`: scikit-learn's perceptrons, trained as jobs like all other estimators.

`base.py` has their base class, with the methods that `prepare` calls. `weights.py` stores parameters as `coefs_` and
`intercepts_`. The network, the solvers and the stopping rule of scikit-learn's perceptrons are in `skdeep.perceptron`.
"""
