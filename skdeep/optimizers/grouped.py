"""AdamW with groups of parameters that have their own learning rates and weight decays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from skdeep.component import Component
from skdeep.contract import Optimizer, Schedule
from skdeep.kernels import are_kernels
from skdeep.records import OptimizerState, Params


class ParameterGroup(Component):
    """The parameters on whose path a name is, and the factors of their learning rate and weight decay.

    Parameters
    ----------
    name : str
        "bias" selects all biases, "scale" all parameters of the module `scale`, "output/bias" the bias of `output` only.
    rate : float, default=1.0
        Factor of the learning rate.
    decay : float or None, default=None
        Factor of the weight decay; None for 1 for kernels (`skdeep.kernels`) and 0 for other parameters.

    Examples
    --------
    >>> from skdeep.optimizers import ParameterGroup
    >>> ParameterGroup("scale", rate=6.0)
    ParameterGroup(name='scale', rate=6.0, decay=None)
    """

    name: str
    rate: float = 1.0
    decay: float | None = None

    def selects(self, path: tuple[Any, ...]) -> bool:
        """Return True if the name is on this path of a tree."""
        return f"/{self.name}/" in f"/{jax.tree_util.keystr(path, simple=True, separator='/')}/"


class GroupedAdamW(Optimizer):
    """AdamW with groups of parameters that have their own learning rates and weight decays, and a schedule of the decay.

    With the learning rate r, a step changes a parameter p by `-r rate m / (sqrt(v) + eps) - r decay weight_decay s(progress) p`.
    Here m and v are Adam's corrected means, s is the schedule of the decay, and rate and decay are the factors of the group.
    So the decay does not depend on the factor of the rate. If several groups select a parameter, the last one counts.
    If none does, the parameter has the factors of `ParameterGroup(name)`.

    Parameters
    ----------
    b1, b2, eps : float, default=0.9, 0.999, 1e-8
        As in `Adam`.
    weight_decay : float, default=1e-4
        Strength of the decoupled weight decay.
    decay_schedule : Schedule or None, default=None
        Factor of the weight decay over the training; None for a constant one.
    groups : tuple of ParameterGroup, default=()

    References
    ----------
    Loshchilov and Hutter, arXiv 1711.05101. RealMLP (Holzmüller et al., arXiv 2407.04491) has such factors; its code
    multiplies the decay by the square of the factor of the rate.

    Examples
    --------
    >>> from skdeep.optimizers import GroupedAdamW, ParameterGroup
    >>> optimizer = GroupedAdamW(b2=0.95, groups=(ParameterGroup("scale", 6.0), ParameterGroup("bias", 0.1)))
    >>> optimizer.replace(groups__1__rate=0.5).groups[1].rate
    0.5
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-4
    decay_schedule: Schedule | None = None
    groups: tuple[ParameterGroup, ...] = ()

    def init(self, params: Params) -> OptimizerState:
        """Return the state before the first step. Raise ValueError if a group selects no parameter."""
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        for group in self.groups:
            if not any(map(group.selects, paths)):
                known = ", ".join(jax.tree_util.keystr(path, simple=True, separator="/") for path in paths)
                raise ValueError(
                    f"The group {group.name!r} of GroupedAdamW selects no parameter. The parameters are {known}. Correct the name, "
                    "or leave the group out."
                )
        return self._adam().init(params)

    def update(  # type: ignore[override]  # the contract allows further arguments
        self,
        grad: Params,
        state: OptimizerState,
        params: Params,
        learning_rate: Any,
        value: Any,
        objective: Callable[[Params], Any],
        progress: Any,
    ) -> tuple[OptimizerState, Params]:
        steps, state = self._adam().update(grad, state, params)
        weight_decay = self.weight_decay * (1.0 if self.decay_schedule is None else self.decay_schedule(progress))

        def change(path: Any, step: Any, param: Any, is_kernel: bool) -> Any:
            rate, decay = self._factors(path, is_kernel)
            return (-learning_rate * (rate * step + weight_decay * decay * param)).astype(param.dtype)

        return state, jax.tree_util.tree_map_with_path(change, steps, params, are_kernels(params))

    def _factors(self, path: tuple[Any, ...], is_kernel: bool) -> tuple[Any, Any]:
        """Return the factors of the rate and of the decay of the parameter on a path."""
        group = next((group for group in reversed(self.groups) if group.selects(path)), ParameterGroup(""))
        return group.rate, (1.0 if is_kernel else 0.0) if group.decay is None else group.decay

    def _adam(self) -> Any:
        import optax

        return optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.eps)
