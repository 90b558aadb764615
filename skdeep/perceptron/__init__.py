"""The parts that make scikit-learn's perceptron of a job: its network and first weights, its solvers, its rules.

They are components like others, so that a job of a perceptron runs without the estimators.
"""
