"""The components with which a job trains scikit-learn's perceptron.

These are its network and weight initialisation, its solvers, its objective and its stopping rule. Since they are
components, a job that uses them runs without the estimators.
"""
