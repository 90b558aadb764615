"""`MLPClassifier` and `MLPRegressor`: scikit-learn's perceptron, trained by the path of all estimators.

`base.py` has what the two share: the answers that `prepare` asks for. `weights.py` keeps parameters as `coefs_` and
`intercepts_`. The network, the solvers and the rules of scikit-learn's perceptron are in `skdeep.perceptron`.
"""
