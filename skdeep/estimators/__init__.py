"""The estimators: scikit-learn classes that make jobs from parameters and data, and store the outcomes."""
