"""
Forecast a time series
======================

A forecast is a regression from a window of the past to a window of the future. The network "gru" reads the days of the past in order, and
`DeepRegressor` predicts all days of the next week at once.
"""

# %%
# Windows of the past and of the future
# -------------------------------------
# The weather in Seattle on each day of four years. A row of ``X`` holds 28 days of five columns, and the row of ``y`` the highest temperature
# of the seven days after them.

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from vega_datasets import data

weather = data.seattle_weather().set_index("date")
angle = 2 * np.pi * weather.index.day_of_year.to_numpy() / 365.25
columns = np.column_stack(
    [weather[["temp_max", "temp_min", "wind"]], np.sin(angle), np.cos(angle)]
)
past, future = 28, 7
X = sliding_window_view(columns[:-future], past, axis=0).swapaxes(1, 2)
y = sliding_window_view(weather.temp_max.to_numpy()[past:], future)
print(X.shape, y.shape)

# %%
# Train on the past
# -----------------
# The last year is for testing. Windows that reach into both parts are left out. ``shuffle=False`` makes the last training windows the
# validation rows of early stopping: random ones would overlap with the windows that are trained on.

from skdeep import DeepRegressor
from skdeep.networks import GRU

n_train = int((weather.index < "2015-01-01").sum()) - past - future
X_test, y_test = X[n_train + future :], y[n_train + future :]
mean, std = columns[:n_train].mean(axis=0), columns[:n_train].std(axis=0)
model = DeepRegressor(
    network=GRU(units=32),
    learning_rate=0.005,
    batch_size=64,
    early_stopping=True,
    shuffle=False,
    random_state=0,
)
model.fit((X[:n_train] - mean) / std, y[:n_train])
predicted = model.predict((X_test - mean) / std)

# %%
# Is it better than the simplest forecasts?
# -----------------------------------------
# A forecast must beat simple ones: each day is as warm as today, or as warm as this day of the year was on average in the training years.

train = weather.temp_max[: n_train + past]
of_the_day = (
    train.groupby(train.index.day_of_year)
    .mean()
    .rolling(15, center=True, min_periods=1)
    .mean()
)
first_days = weather.index[n_train + future + past :][: len(y_test)]
forecasts = {
    "GRU": predicted,
    "as today": np.repeat(X_test[:, -1, :1], future, axis=1),
    "as usual on this day": np.stack(
        [
            of_the_day.reindex((first_days + pd.Timedelta(days=k)).day_of_year)
            for k in range(future)
        ],
        axis=1,
    ),
}
for name, forecast in forecasts.items():
    print(
        f"{name}: mean absolute error {np.abs(forecast - y_test).mean():.2f} degrees Celsius"
    )

# %%
# The left panel shows the forecast for the next day over the test year, the right one the errors by distance.
# Tomorrow is much like today, and in a week only the season counts: there the network is about as good as the better
# of the two simple forecasts. In between it beats both.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), layout="constrained", width_ratios=[1.7, 1]
)
left.plot(first_days, y_test[:, 0], color="grey", linewidth=1, label="measured")
left.plot(
    first_days, predicted[:, 0], color="C0", linewidth=1.3, label="GRU, a day ahead"
)
left.set(ylabel="highest temperature (°C)")
left.legend()
for (name, forecast), style in zip(forecasts.items(), ["-", "--", ":"]):
    right.plot(
        np.arange(1, future + 1),
        np.abs(forecast - y_test).mean(axis=0),
        style,
        marker="o",
        markersize=4,
        label=name,
    )
right.set(xlabel="days ahead", ylabel="mean absolute error (°C)", ylim=(0, None))
right.legend()
