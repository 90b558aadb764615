"""The cases for an accelerator: lanes against single fits, and epochs against an eager loop in PyTorch on the same device."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks import data, peers
from benchmarks.cases import digits_grid, fashion_convolution, fashion_dense, fashion_resnet
from benchmarks.compiling import compile_clock
from benchmarks.epochs import prepare_skdeep, prepare_torch
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target, ratio, timed

RESNET_WIDTHS = (64, 128, 256, 512)
TRANSFORMER = {"n_layers": 4, "features": 128, "n_heads": 4}
LEAST_SPEED, LEAST_GAIN_OF_LANES = 1.0, 10
ROWS, SMALL_ROWS = 60_000, 256
FAILED = "It failed"


@cache
def cases(small: bool) -> dict[str, Case]:
    """Return the cases by name; small ones are a rehearsal, whose numbers mean nothing."""
    epochs = (
        ("accelerator_dense", "dense 784-512-512-10", (784,), (784,), dense, dense_in_torch),
        ("accelerator_convolution", "conv32-pool-conv64-pool-dense10", (28, 28, 1), (1, 28, 28), convolution, None),
        ("accelerator_resnet18", "ResNet-18 on 32x32 pixels", (32, 32, 1), (1, 32, 32), resnet18, resnet18_in_torch),
        (
            "accelerator_transformer",
            "a transformer over 28 rows",
            (28, 28),
            (28, 28),
            transformer,
            transformer_in_torch,
        ),
    )
    widths = tuple(width // 8 for width in RESNET_WIDTHS) if small else RESNET_WIDTHS
    made = [lanes_case(small)]
    for name, title, shape, torch_shape, network, in_torch in epochs:
        networks = network, in_torch or fashion_convolution.torch_network
        if network is resnet18:
            networks = partial(resnet18, widths), partial(resnet18_in_torch, widths)
        made.append(epoch_case(name, title, networks, (shape, torch_shape)))
    return {case.name: case for case in made}


def options_of(small: bool) -> Options:
    """Return the sizes that are not those of the cases: a few rows for a rehearsal."""
    return Options(rows=SMALL_ROWS) if small else Options()


def or_missing(prepare: Callable[[Options], Prepared], options: Options) -> Prepared:
    """Prepare a contender for one epoch of all rows; if that fails, it counts as missing, so that the others are measured."""
    try:
        return prepare(Options(options.rows or ROWS, options.epochs or 1))
    except MissingError:
        raise
    except Exception as err:
        traceback.print_exc()
        raise MissingError(f"{FAILED}: {type(err).__name__}: {err}") from err


def lanes_case(small: bool) -> Case:
    """Return the case of the grid search on the digits, in one process and after compiling."""
    rates, folds, epochs = (2, 2, 2) if small else (digits_grid.N_RATES, digits_grid.N_FOLDS, 50)
    prepare = partial(prepare_search, n_rates=rates, n_folds=folds, epochs=epochs)
    return Case(
        name="accelerator_lanes",
        summary=f"GridSearchCV of {rates} learning rates x {folds} folds on digits, 64-100-10, {epochs} epochs, batch 64, warm",
        contenders=(
            Contender(
                "lanes",
                partial(or_missing, partial(prepare, in_lanes=True)),
                notes="parallel_config('skdeep', mode='lanes')",
            ),
            Contender(
                "sequential",
                partial(or_missing, partial(prepare, in_lanes=False)),
                notes="n_jobs=None: one fit after the other",
            ),
        ),
        headline="search_seconds",
        targets=(
            Target(
                "speed of lanes, ratio to one fit after the other",
                ratio(("sequential", "search_seconds"), ("lanes", "search_seconds")),
                LEAST_GAIN_OF_LANES,
                is_lower_bound=True,
            ),
            Target(
                "best score of lanes, ratio to one fit after the other",
                ratio(("lanes", "best_score"), ("sequential", "best_score")),
            ),
        ),
    )


def prepare_search(options: Options, *, in_lanes: bool, n_rates: int, n_folds: int, epochs: int) -> Prepared:
    """Warm up by a search that compiles all programs: lanes compile one per number of lanes, single fits one in all."""
    import joblib
    from sklearn.model_selection import GridSearchCV

    x, y = data.digits()
    model = peers.skdeep_classifier(replace(digits_grid.SETUP, max_epochs=epochs))
    rates = np.geomspace(1e-4, 3e-2, n_rates)

    def search(rates: np.ndarray) -> Any:
        grid = GridSearchCV(model, {"learning_rate": rates}, cv=n_folds, refit=False, error_score="raise")
        with joblib.parallel_config("skdeep", mode="lanes") if in_lanes else nullcontext():
            return grid.fit(x, y)

    with compile_clock() as compiling:
        first = timed(lambda: search(rates if in_lanes else rates[:1]))

    def measure() -> dict[str, float]:
        found: list[Any] = []
        with compile_clock() as again:
            seconds = timed(lambda: found.append(search(rates)))
        best = float(found[0].cv_results_["mean_test_score"].max())
        # Lanes of another number, because some fits came late, are another program.
        return {"search_seconds": seconds, "compile_again_seconds": sum(again), "best_score": best}

    return Prepared(measure, {"compile_seconds": sum(compiling), "first_search_seconds": first})


def epoch_case(
    name: str, title: str, networks: tuple[Callable[[], Any], ...], shapes: tuple[tuple[int, ...], ...]
) -> Case:
    """Return the case of one network, with one epoch of all rows per measurement."""
    images = partial(images_of, math.prod(shapes[0]))
    source = "Fashion-MNIST" if data.has_fashion_mnist() else "synthetic images, Fashion-MNIST is not on this machine"
    ours, theirs = (
        partial(prepare, network=network, input_shape=shape, images=images)
        for prepare, network, shape in zip((prepare_skdeep, prepare_torch), networks, shapes, strict=True)
    )
    return Case(
        name=name,
        summary=f"seconds per epoch of {title}, images of Fashion-MNIST's shape, batch 128, Adam, TF32 allowed",
        contenders=(
            Contender("skdeep", partial(or_missing, ours), notes=f"one epoch of a warm fit; {source}"),
            Contender(
                "torch",
                partial(or_missing, partial(theirs, device_of=torch_device)),
                ("torch",),
                f"eager loop; {source}",
            ),
        ),
        headline="epoch_seconds",
        targets=(
            Target(
                "speed, ratio to the eager PyTorch loop's (aim 1.3)",
                ratio(("torch", "epoch_seconds"), ("skdeep", "epoch_seconds")),
                LEAST_SPEED,
                is_lower_bound=True,
            ),
        ),
    )


def images_of(n_pixels: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return flat images of 784 or of 1,024 pixels, and their classes."""
    x, y = data.images_or_noise(rows)
    return (x if n_pixels == x.shape[1] else data.padded_to_32(x)), y


def torch_device() -> str:
    """Return the device of PyTorch that is JAX's default device; allow TF32 there, as XLA does by default.

    Raises
    ------
    MissingError
        If PyTorch cannot use that device.
    """
    import jax
    import torch

    if jax.devices()[0].platform == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise MissingError(f"PyTorch {torch.__version__} has no CUDA device here.")
    torch.set_float32_matmul_precision("high")
    return "cuda"


def dense() -> Any:
    """Return the dense network."""
    from skdeep.networks import MLP

    return MLP(widths=fashion_dense.SETUP.widths)


def dense_in_torch() -> Any:
    """Return the dense network in PyTorch."""
    return peers.torch_network(fashion_dense.SETUP)


def convolution() -> str:
    """Return the name of the network of two convolutions."""
    return "cnn"


def resnet18(widths: tuple[int, ...]) -> list[Any]:
    """Return the layers of ResNet-18 for small images: no pooling after the first convolution, which has kernel size 3."""
    from skdeep.layers import Activation, BatchNorm, Conv, GlobalAvgPool, Residual

    layers: list[Any] = [Conv(widths[0], use_bias=False), BatchNorm(), "relu"]
    for stage, width in enumerate(widths):
        for block in range(2):
            strides = 2 if stage > 0 and block == 0 else 1
            first = (Conv(width, strides=strides, use_bias=False), BatchNorm(), Activation("relu"))
            layers += [Residual((*first, Conv(width, use_bias=False), BatchNorm())), "relu"]
    return [*layers, GlobalAvgPool()]


def resnet18_in_torch(widths: tuple[int, ...]) -> Any:
    """Return the same network in PyTorch."""
    from torch import nn

    layers: list[Any] = [*fashion_resnet.torch_convolution(1, widths[0]), nn.ReLU()]
    n_channels = widths[0]
    for stage, width in enumerate(widths):
        for block in range(2):
            strides = 2 if stage > 0 and block == 0 else 1
            layers += [fashion_resnet.torch_residual(n_channels, width, strides), nn.ReLU()]
            n_channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_channels, 10))


def transformer() -> Any:
    """Return the transformer without dropout."""
    from skdeep.networks import Transformer

    return Transformer(**TRANSFORMER, dropout_rate=None)


def transformer_in_torch() -> Any:
    """Return the same transformer in PyTorch: pre-norm, GELU, and constant position encodings of the same size."""
    import torch
    from torch import nn

    n_layers, features, n_heads = TRANSFORMER.values()

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            block = nn.TransformerEncoderLayer(
                features, n_heads, 4 * features, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.projection = nn.Linear(28, features)
            self.blocks = nn.TransformerEncoder(block, n_layers, nn.LayerNorm(features), enable_nested_tensor=False)
            self.output = nn.Linear(features, 10)
            self.register_buffer("positions", torch.rand(28, features))

        def forward(self, x: Any) -> Any:
            return self.output(self.blocks(self.projection(x) + self.positions).mean(1))

    return Encoder()
