"""Fit pytabkit's RealMLP-TD on the folds that `__main__` wrote; run by the interpreter of an environment with pytabkit.

Usage: python pytabkit_worker.py folds.pkl predictions.pkl
"""

import pickle
import sys
import time
import warnings

import pandas as pd

warnings.simplefilter("ignore")


def main(source: str, target: str) -> None:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    with open(source, "rb") as file:
        folds = pickle.load(file)
    results = []
    for fold in folds:
        cls = RealMLP_TD_Regressor if fold["is_regression"] else RealMLP_TD_Classifier
        train, test = pd.DataFrame(fold["train"]), pd.DataFrame(fold["test"])
        for name in train.columns:
            if train[name].dtype.kind in "biuf":  # it refuses missing numbers
                mean = train[name].mean()
                train[name], test[name] = train[name].astype(float).fillna(mean), test[name].astype(float).fillna(mean)
            else:
                train[name], test[name] = train[name].astype("category"), test[name].astype("category")
        y = fold["y"].astype(float if fold["is_regression"] else str)
        start = time.perf_counter()
        model = cls(random_state=fold["seed"], n_threads=2, device="cpu").fit(train, y)
        seconds = time.perf_counter() - start
        is_regression = fold["is_regression"]
        prediction = model.predict(test) if is_regression else model.predict_proba(test)
        results.append((prediction, None if is_regression else model.classes_, seconds))
    with open(target, "wb") as file:
        pickle.dump(results, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
