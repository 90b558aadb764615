"""
A table with categories and missing values
==========================================

`TabularRegressor` takes a data frame as it is: numbers with gaps, categories and dates. Its default network is RealMLP with settings that suit
most tables. Here it predicts how far a car drives per gallon of fuel.
"""

# %%
# The table
# ---------
# 398 cars of the years 1970 to 1982. Six of them have no horsepower. Nothing is filled in, scaled or encoded.

import pandas as pd
from vega_datasets import data

cars = data.cars().dropna(subset="Miles_per_Gallon").reset_index(drop=True)
X = cars.drop(columns=["Name", "Miles_per_Gallon"])
y = cars.Miles_per_Gallon
pd.DataFrame(
    {"type": X.dtypes.astype(str), "missing": X.isna().sum(), "first car": X.iloc[0]}
)

# %%
# Fit and compare
# ---------------
# ``n_estimators=4`` trains four networks and predicts their mean; they share one compiled program. scikit-learn's gradient boosting takes such
# tables too, if categories have a type of their own and dates are numbers. On this small table, the two are about equally good.

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from skdeep import TabularRegressor

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
model = TabularRegressor(n_estimators=4, random_state=0).fit(X_train, y_train)

plain = X.assign(Origin=X.Origin.astype("category"), Year=X.Year.dt.year)
boosting = HistGradientBoostingRegressor(
    categorical_features="from_dtype", random_state=0
)
boosting.fit(plain.loc[X_train.index], y_train)

error = mean_absolute_error(y_test, model.predict(X_test))
error_of_trees = mean_absolute_error(y_test, boosting.predict(plain.loc[X_test.index]))
print(f"TabularRegressor:     {error:.2f} miles per gallon wrong")
print(f"HistGradientBoosting: {error_of_trees:.2f}")

# %%
# Which columns matter?
# ---------------------
# scikit-learn's tools for inspection take the estimator and the data frame. `permutation_importance` shuffles one column at a time and notes
# how much the score falls.

from sklearn.inspection import permutation_importance

importance = permutation_importance(model, X_test, y_test, n_repeats=10, random_state=0)
print(
    pd.Series(importance.importances_mean, X.columns)
    .sort_values(ascending=False)
    .round(2)
    .to_string()
)

# %%
# The picture shows predictions for cars that the model has not seen, and the importance of the columns. Points on the line are exact.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for origin, cars_of_origin in X_test.groupby("Origin"):
    left.scatter(
        model.predict(cars_of_origin),
        y_test[cars_of_origin.index],
        s=22,
        alpha=0.7,
        label=origin,
    )
left.axline((25, 25), slope=1, color="grey", linewidth=1)
left.set(
    xlabel="predicted miles per gallon",
    ylabel="measured miles per gallon",
    aspect="equal",
)
left.legend()
order = importance.importances_mean.argsort()
right.boxplot(
    importance.importances[order].T,
    orientation="horizontal",
    tick_labels=X.columns[order],
)
right.set_xlabel("loss of R² when the column is shuffled")
