"""Fit on rows of several processes: what they learn of their rows is joined, so that all of them prepare the same training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from skdeep.core.content import digest_of
from skdeep.core.encode import is_sparse
from skdeep.core.feeds.validation import OwnRows
from skdeep.core.fingerprint import UnreadableError, atoms_of
from skdeep.core.processes import failing_together, gathered, n_processes
from skdeep.core.rows import WeightedRows
from skdeep.core.streamed_rows import StreamedRows
from skdeep.estimators.scoring import has_scorer
from skdeep.inputs import Inputs
from skdeep.sources.frame import FrameSource
from skdeep.sources.sliced import SlicedSource
from skdeep.sources.source import Source
from skdeep.tables.frames import as_frame


def spans_processes(estimator: Any) -> bool:
    """Return True if an estimator trains on the devices of several processes."""
    return isinstance(estimator.device, str) and estimator.device == "all" and n_processes() > 1


def prints(estimator: Any) -> bool:
    """Return True if this process prints the epochs of a training: of several that train together, only the first one does."""
    return bool(estimator.verbose) and not (spans_processes(estimator) and jax.process_index() != 0)


def failing_together_of(estimator: Any) -> AbstractContextManager[None]:
    """Return a context in which a process that fails tells the others, if the estimator trains in several."""
    return failing_together() if spans_processes(estimator) else nullcontext()


def check_same_parameters(estimator: Any, is_partial: bool) -> None:
    """Raise ValueError if the estimators of the processes are not alike. Seeds, `verbose` and callbacks may differ.

    Parameters whose content cannot be read, such as users' objects that hold generators, are not compared.
    """
    _check_equal_numbers_of_devices()
    goes_on = hasattr(estimator, "params_") and (is_partial or estimator.warm_start)
    alike = ("partial_fit" if is_partial else "fit", type(estimator).__name__, "fitted before" if goes_on else "new")
    found = gathered((alike, _digests_of(estimator)), "parameters")
    first, digests = found[0]
    for number, (other, others) in enumerate(found):
        if other != first:
            raise ValueError(
                f"Process 0 trains by {first[0]} of {first[1]} ({first[2]}), but process {number} by {other[0]} of {other[1]} ({other[2]}). "
                "All processes must call the same methods in the same order."
            )
        differing = [
            name for name, digest in digests.items() if None not in (digest, others[name]) and digest != others[name]
        ]
        if differing:
            raise ValueError(
                f"{first[1]} has another {' and another '.join(map(repr, differing))} in process {number} than in process 0. The parameters of "
                "all processes must be alike, except 'random_state' and 'verbose'."
            )


def _check_equal_numbers_of_devices() -> None:
    """Raise ValueError if the processes do not have equal numbers of devices. Each of them knows all devices."""
    numbers = np.bincount([device.process_index for device in jax.devices()], minlength=n_processes())
    if len(set(numbers)) > 1:
        raise ValueError(
            f"The processes have {', '.join(map(str, numbers))} devices, but a training in several processes needs as many in each. Give each "
            "process the same number, for example by CUDA_VISIBLE_DEVICES."
        )


def _digests_of(estimator: Any) -> dict[str, str | None]:
    """Return digests of the parameters that must be alike, None where the content cannot be read."""
    digests: dict[str, str | None] = {}
    for name, value in estimator.get_params(deep=False).items():
        if name not in ("random_state", "verbose"):
            try:
                digests[name] = digest_of(atoms_of(value))
            except (UnreadableError, TypeError):
                digests[name] = None
    return digests


def source_in_memory(estimator: Any, X: Any) -> Source:
    """Return a source of an X in memory.

    Raises
    ------
    TypeError
        If the estimator cannot train in several processes, or X is sparse, or has several inputs.
    """
    owner = type(estimator).__name__
    if not estimator._streams:
        raise _cannot_span(owner)
    if isinstance(X, Inputs) or is_sparse(X):
        raise TypeError(
            f"{owner} trains in several processes here, and takes an array or a table then, not {type(X).__name__}. Give one of these, or "
            "train in one process."
        )
    frame = as_frame(X)
    return SlicedSource(np.asarray(X)) if frame is None else FrameSource(frame.to_native())


def joined_summaries(n: int, own: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Return what all processes learned of the weights, y and X of their rows, of which this one has `n`.

    The weights keep the positions of this process's rows.
    """
    weights, target, table = own
    number = jax.process_index()
    found = gathered((n, weights, target, table), "what the rows tell")
    if any((of_others is None) != (table is None) for *_, of_others in found):
        raise ValueError("X is a table in some processes and an array in others. Give all processes the same kind.")
    _, _, target, table = found[0]
    offset = found[0][0]
    for n_others, _, of_y, of_x in found[1:]:
        target.add(of_y, offset)
        if table is not None:
            table.add(of_x)
        offset += n_others
    for i, (_, of_others, _, _) in enumerate(found):
        if i != number:
            weights.add(of_others)
    return weights, target, table


def check_one_encoding(encoding: Any) -> None:
    """Raise ValueError if the rows of processes differ in their shape, type or names of columns."""
    found = gathered((encoding.columns, encoding.x_dtype, encoding.names), "form of X")
    for number, other in enumerate(found):
        for what, of_first, value in zip(("shape of rows", "type", "names of columns"), found[0], other, strict=True):
            if value != of_first:
                raise ValueError(
                    f"X has the {what} {of_first} in process 0, but {value} in process {number}. Rows of all processes must be alike."
                )


def with_counts(rows: StreamedRows) -> StreamedRows:
    """Return the rows with the number of rows of each process.

    Raises
    ------
    ValueError
        If a process has none.
    """
    counts = tuple(gathered(rows.n_own, "number of rows"))
    if 0 in counts:
        raise ValueError(
            f"Process {counts.index(0)} has no rows to train on. Give each process some, about as many as the others."
        )
    return rows.replace(counts=counts)


def batch_size_of_processes(estimator: Any, rows: Any, batch_size: int) -> int:
    """Return a batch size of which each device has an equal share.

    Raises
    ------
    TypeError
        If the estimator cannot train in several processes, or this is a call of `partial_fit`.
    ValueError
        If the user gave a batch size without equal shares, or a checkpoint.
    """
    owner = type(estimator).__name__
    if not isinstance(rows, StreamedRows):
        raise _cannot_span(owner)
    if getattr(estimator, "checkpoint", None) is not None:
        raise ValueError(f"{owner} keeps no checkpoints of trainings in several processes. Set checkpoint to None.")
    n_devices = jax.device_count()
    if estimator.batch_size != "auto" and estimator.batch_size % n_devices:
        raise ValueError(
            f"batch_size={estimator.batch_size} of {owner} has no equal shares for {n_devices} devices of {n_processes()} processes. Give a "
            f"multiple of {n_devices}."
        )
    return -(-batch_size // n_devices) * n_devices


def _cannot_span(owner: str) -> TypeError:
    return TypeError(
        f"JAX runs in {n_processes()} processes here (jax.distributed), and only fit of DeepClassifier and DeepRegressor trains in all of "
        f"them. Train {owner} in one process: device='auto'."
    )


def check_validation(estimator: Any, scored: Any) -> None:
    """Raise ValueError if the validation rows of all processes would have to be scored together."""
    if scored is not None:
        name = "scoring" if has_scorer(estimator) else "metrics"
        value = "'loss'" if name == "scoring" else "None"
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} of {type(estimator).__name__} needs all validation rows at once, but each process has its "
            f"own. Set {name}={value}; early stopping watches the validation loss then."
        )


def own_validation(rows: WeightedRows, mean: float) -> OwnRows:
    """Return the validation rows of this process, with weights whose mean over all processes is 1; `mean` is that of the given weights."""
    found = np.array(gathered((rows.n, float(mean)), "validation weights"))
    of_all = float(found[:, 0] @ (found[:, 1] / mean)) / found[:, 0].sum()
    return OwnRows(*rows._replace(weight=rows.weight / of_all))
