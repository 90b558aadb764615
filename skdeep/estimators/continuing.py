"""Whether a fit can go on from the parameters of an earlier one."""

from __future__ import annotations

from typing import Any

import jax

from skdeep.contract import TrainState


def check_continues(owner: str, previous: tuple[Any, Any], fresh: TrainState) -> None:
    """Raise ValueError unless earlier parameters and model state have the form that the network has now.

    Raises
    ------
    ValueError
        If a parameter is missing, new or of another shape; the message names the first one.
    """
    earlier, now = (_shapes(form) for form in (previous, (fresh.params, fresh.model_state)))
    if earlier == now:
        return
    path = next(path for path in [*now, *earlier] if earlier.get(path) != now.get(path))
    raise ValueError(
        f"warm_start=True goes on from the parameters of the last fit, but {path} {_described(earlier.get(path))} there, and "
        f"{_described(now.get(path))} now. Fit the same network on data of the same form, or set "
        f"warm_start=False, so that {owner} begins anew."
    )


def _shapes(form: tuple[Any, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array by its path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(dict(zip(("params_", "model_state_"), form, strict=True)))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


def _described(shape: tuple[int, ...] | None) -> str:
    return "is absent" if shape is None else f"has shape {shape}"
