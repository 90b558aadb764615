"""Many fits at once: `fit_many`, and joblib's backend "skdeep"."""
