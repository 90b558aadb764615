"""The shell: estimators as scikit-learn wants them. The only place with `self` and with scikit-learn."""
