"""Store the parameters of a perceptron as scikit-learn does, in `coefs_` and `intercepts_`."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from skdeep.config import FitConfig
from skdeep.core.cpu.aligned import aligned_copy
from skdeep.core.step import new_state
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.base import TrainedEstimator
from skdeep.estimators.prepare import Draft
from skdeep.perceptron.network import cast, dense_params, split_params


class PerceptronWeights(TrainedEstimator):
    """Base of the perceptrons: weights in `coefs_` and `intercepts_`, and conversion from and to `params_`."""

    _other_params: dict[str, Any]
    coefs_: list[Any]
    intercepts_: list[Any]

    @property
    def params_(self) -> dict[str, Any]:
        """The parameters as a nested dict of ndarray, made from `coefs_` and `intercepts_`."""
        if "coefs_" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no params_ yet: call fit first.")
        return {**self.__dict__.get("_other_params", {}), **dense_params(self.coefs_, self.intercepts_)}

    @params_.setter
    def params_(self, params: dict[str, Any]) -> None:
        n_hidden = sum(name.startswith("Dense_") for name in params)
        self.coefs_, self.intercepts_, self._other_params = split_params(params, n_hidden)

    @property
    def _weights_dtype(self) -> np.dtype[Any]:
        # A user may have assigned weights of a dtype that is not trained in, such as integers.
        return np.result_type(np.float32, *self.coefs_, *self.intercepts_)

    def _params_for(self, X: Any) -> tuple[Any, np.dtype[Any]]:
        """Return the weights in the wider of their dtype and X's, in which predictions are computed as in scikit-learn."""
        dtype = np.result_type(self._weights_dtype, X.dtype)
        return cast(self.params_, dtype), dtype

    def _dtype_of_params(self, encoding: Any) -> Any:
        return encoding.x_dtype

    def _fitted_attributes(self) -> dict[str, Any]:
        return {"coefs_": self.coefs_, "intercepts_": self.intercepts_}

    def _first_weights(self, config: FitConfig, draft: Draft) -> tuple[Any, Any]:
        """Return the parameters and model state to start from; normalisation layers keep theirs from an earlier fit."""
        dtype = config.learning_rate.dtype  # type: ignore[attr-defined]  # cast by as_traced
        goes_on = draft.earlier is not None
        coefs, intercepts = (self.coefs_, self.intercepts_) if goes_on else draft.first_params
        others = self.__dict__.get("_other_params", {}) if goes_on else {}
        model_state = self.__dict__.get("model_state_", {}) if goes_on else {}
        if self.normalization is None:
            others, model_state = {}, {}
        else:
            fresh = new_state(config, draft.key, np.int32(1), np.int32(1))
            new_others = split_params(fresh.params, len(coefs) - 1)[2]
            if set(others) != set(new_others):  # no earlier fit had this normalisation
                others, model_state = new_others, fresh.model_state
        params, model_state = cast(({**others, **dense_params(coefs, intercepts)}, model_state), dtype)
        return params, model_state

    def _keep_weights(self, params: Any, model_state: Any, dtype: Any) -> None:
        """Store the weights in this dtype; raise NonFiniteLossError if one is NaN or infinite."""
        copied = partial(aligned_copy, dtype=dtype)
        params, self.model_state_ = jax.tree.map(copied, (params, model_state))
        self.params_ = params
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise_non_finite()

    def _check_shapes(self, units: tuple[int, ...]) -> None:
        """Raise ValueError if the shapes of the earlier weights do not fit the data and `hidden_layer_sizes`."""
        wanted = {"coefs_": list(pairwise(units)), "intercepts_": [(width,) for width in units[1:]]}
        for name, shapes in wanted.items():
            found = [np.shape(array) for array in getattr(self, name)]
            if found != shapes:
                raise ValueError(
                    f"{type(self).__name__} cannot continue from {name} of shapes {found}, because "
                    f"hidden_layer_sizes={self.hidden_layer_sizes} and the data need {shapes}. Set warm_start=False, or fit a "
                    "clone."
                )


def raise_non_finite() -> None:
    """Raise NonFiniteLossError with scikit-learn's message and a cure."""
    raise NonFiniteLossError(
        "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed. "
        "Scale the columns of X (for example with StandardScaler), or lower learning_rate_init."
    )
