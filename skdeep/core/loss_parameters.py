"""Parameters of a loss, trained together with those of the network.

The loss gets them as raw outputs under their names, with equal rows. So the training step, validation and prediction are the same
as for other losses.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from skdeep.config import Model
from skdeep.contract import Loss, Network, NetworkFunctions
from skdeep.core.inputs import InShape, float_dtype
from skdeep.core.network import functions_of
from skdeep.core.one_hot import without_one_hot
from skdeep.core.raw import n_rows, raw_widths
from skdeep.records import ModelState, Params, Raw, Task


class WithLossParameters(Network):
    """A network whose raw outputs also contain the parameters of a loss.

    Parameters are `{"network": ..., "loss": {name: (k,)}}`; the model state is the network's.

    Parameters
    ----------
    network : Network
    loss : Loss
        One with `parameters`.
    task : Task
    """

    network: Network
    loss: Loss
    task: Task

    names_inputs: ClassVar[bool] = True
    names_outputs: ClassVar[bool] = True

    @property
    def n_ids(self) -> int | None:
        return self.network.n_ids

    def check_rows(self, x: Any) -> None:
        self.network.check_rows(x)

    def build(self, in_shape: Any, n_outputs: Any) -> NetworkFunctions:
        names = set(self.loss.parameters(self.task))
        of_network = {name: width for name, width in n_outputs.items() if name not in names}
        inner = functions_of(self.network, in_shape, of_network)

        def init(key: Array, x: Any) -> tuple[Params, ModelState]:
            params, state = inner.init(key, x)
            first = {
                name: jnp.asarray(value, float_dtype(x)) for name, value in self.loss.parameters(self.task).items()
            }
            return {"network": params, "loss": first}, state

        def apply(params: Params, state: ModelState, *rest: Any) -> tuple[Raw, ModelState]:
            raw, state = inner.apply(params["network"], state, *rest)
            n = n_rows(raw)
            return raw | {name: jnp.broadcast_to(v, (n, *v.shape)) for name, v in params["loss"].items()}, state

        return NetworkFunctions(init, apply)


def model_for(network: Network, in_shape: InShape, loss: Loss, task: Task) -> Model:
    """Return a network with its shapes for a loss, and with the parameters of the loss if it has any.

    Raises
    ------
    ValueError
        If the parameters of the loss are invalid (see `raw_widths`).
    """
    widths = raw_widths(loss, task)
    return Model(WithLossParameters(network, loss, task) if loss.parameters(task) else network, in_shape, widths)


def network_of(model: Model) -> Network:
    """Return the network of a model that the user chose, without `WithLossParameters` and `WithOneHot`."""
    return without_one_hot(network_with_one_hot(model))


def network_with_one_hot(model: Model) -> Network:
    """Return the network of a model without `WithLossParameters`."""
    return model.network.network if isinstance(model.network, WithLossParameters) else model.network


def apart(params: Params) -> tuple[Params, Params | None]:
    """Return the parameters of the network and those of the loss, None if it has none."""
    if isinstance(params, dict) and params.keys() == {"network", "loss"}:
        return params["network"], params["loss"]
    return params, None


def beside(params: Params, of_loss: Params | None) -> Params:
    """Return the parameters of network and loss together; inverts `apart`."""
    return params if of_loss is None else {"network": params, "loss": of_loss}


def has_parameters(loss: Loss) -> bool:
    """Tell whether a loss may have parameters, on some task."""
    return type(loss).parameters is not Loss.parameters
