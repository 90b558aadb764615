"""The check of step masks: layers leave out the masked steps of a sequence, and only those."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from skdeep.contract import Layer
from skdeep.core.inputs import float_dtype
from skdeep.core.programs import TracedFunction
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.layers import ModuleLayer
from skdeep.linen import call_arguments, is_told_of_training, takes_step_mask
from skdeep.testing.module_programs import Shape, make, predict
from skdeep.testing.running import contract_check, expect, expect_close

TOLERANCE: dict[str, float] = {"rtol": 1e-4, "atol": 1e-5}


@contract_check(
    "if the module mixes steps, take `step_mask` in its `__call__` and leave out the steps where it is False, in training and "
    "at prediction, as `skdeep.layers.GlobalAvgPool` does; let `output_mask` return the mask of the output's steps."
)
def check_step_mask(layer: Layer, in_shape: Shape) -> None:
    """Masked steps affect no other step, unmasked steps affect the output, and an all-True mask has no effect.

    Only rows of two or more axes, `(time, ...)`, are checked. A linen module (`ModuleLayer`) that takes no `step_mask` is
    not checked, since it does not support masks.
    """
    if len(in_shape) < 2:
        return
    made, mask = make(layer, in_shape), _example_mask(in_shape[0])
    if not takes_step_mask(layer.build()):
        if len(in_shape) == 2 and not isinstance(layer, ModuleLayer):
            _expect_left_out(lambda x, _: predict(*made._replace(x=x)), layer, made.x, mask, "at prediction")
        return
    modes = {"at prediction": _predicting} | ({"in training": _training} if is_told_of_training(layer.build()) else {})
    for name, run in modes.items():

        def outputs(x: Any, mask: Any, run: Callable[..., Any] = run) -> Any:
            return run(made.component, made.params, made.model_state, x, mask)

        _expect_left_out(outputs, layer, made.x, mask, name)
    output, _ = _predicting(*made[:3], made.x, np.ones_like(mask))
    expect_close(output, predict(*made)[0], "A mask that is True everywhere changes the output.", **TOLERANCE)


def _expect_left_out(run: Callable[..., Any], layer: Layer, x: np.ndarray, mask: np.ndarray, name: str) -> None:
    """Expect that the values of masked steps change no other step, and that those of unmasked steps change the output."""
    beside = mask.reshape(*mask.shape, *(1,) * (x.ndim - 2))
    output, state = run(x, mask)
    kept = _real(layer, x, mask, output)
    if kept is None:
        return
    padded = np.where(beside, x, np.roll(x, 1, axis=0))
    other, other_state = run(padded, mask)
    expect_close(
        _real(layer, padded, mask, other), kept, f"The values of masked steps change other steps {name}.", **TOLERANCE
    )
    expect_close(other_state, state, f"The values of masked steps change the model state {name}.", **TOLERANCE)
    changed = np.where(beside, np.roll(x, 1, axis=0), x)
    others = _real(layer, changed, mask, run(changed, mask)[0])
    n_same = sum(np.array_equal(a, b) for a, b in zip(others, kept, strict=True))
    expect(n_same == 0, f"Unmasked steps do not affect the output of {n_same} of {len(x)} rows {name}.")


def _real(layer: Layer, x: np.ndarray, mask: np.ndarray, output: Any) -> Any:
    """Return the output with masked steps set to zero; None if the output has no steps and the layer takes no mask."""
    output = np.asarray(output)
    out_mask = layer.output_mask(jnp.asarray(x), jnp.asarray(mask))
    if out_mask is None:
        return output if takes_step_mask(layer.build()) else None
    out_mask = np.asarray(out_mask)
    if out_mask.shape != output.shape[:2]:
        raise AssertionError(
            f"output_mask has shape {out_mask.shape}, but the output has {output.shape[:2]} rows and steps."
        )
    return np.where(out_mask.reshape(*out_mask.shape, *(1,) * (output.ndim - 2)), output, 0)


def _example_mask(n_steps: int) -> np.ndarray:
    """Return a mask `(rows, time)`: padding is at the end of the first five rows and at the start of the other five."""
    n_real = np.maximum(n_steps - np.arange(10) % 3, 1)[:, None]
    mask = np.arange(n_steps)[None, :] < n_real
    return np.where(np.arange(10)[:, None] < 5, mask, mask[:, ::-1])


def _apply(train: bool, component: Any, params: Any, model_state: Any, x: Any, mask: Any) -> Any:
    module = component.build()
    arguments = call_arguments(module, train, jnp.ones(len(x), float_dtype(x)), mask)
    rngs = {"dropout": wrap_key(key_of_seed(3)), "params": wrap_key(key_of_seed(4))} if train else {}
    mutable = list(model_state) if train else False
    result = module.apply({"params": params, **model_state}, x, rngs=rngs, mutable=mutable, **arguments)
    return result if train else (result, model_state)


_training = TracedFunction(functools.partial(_apply, True), "masked_training")
_predicting = TracedFunction(functools.partial(_apply, False), "masked_prediction")
