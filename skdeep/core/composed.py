"""Networks composed of two networks: an encoder with a decoder, and an encoder with a head.

If such a network returns more than its prediction (a mean and a log variance), each part is a raw output with a name, which the
loss uses. So the training step is the same for all networks.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from skdeep.config import Model
from skdeep.contract import Network, NetworkFunctions
from skdeep.core.inputs import InShape, float_dtype
from skdeep.core.network import functions_of
from skdeep.records import ModelState, Params, Raw

CODE = "the code"


class Autoencoder(Network):
    """An encoder that maps a row to `n_components` numbers, and a decoder that maps them back to a row.

    Parameters and model state are `{"encoder": ..., "decoder": ...}`.

    Parameters
    ----------
    encoder, decoder : Network
        If the decoder has a field `out_shape` that is None, it is set to the shape of a row.
    n_components : int
    noise : float, default=0.0
        Standard deviation of the normal noise added to the rows while training.
    """

    encoder: Network
    decoder: Network
    n_components: int
    noise: float = 0.0

    @property
    def n_codes(self) -> int:
        """Number of outputs of the encoder."""
        return self.n_components

    def check_rows(self, x: Any) -> None:
        if self.n_ids is not None and self.noise > 0:
            raise ValueError(
                f"The rows of {self.encoder} are ids, to which noise={self.noise} cannot be added. Set noise to 0, or give an encoder "
                "of numbers."
            )
        self.encoder.check_rows(x)

    def latent(self, codes: Float[Array, "n codes"], train: bool, key: Any) -> Float[Array, "n components"]:
        """Return the input of the decoder."""
        return codes

    @property
    def n_ids(self) -> int | None:
        return self.encoder.n_ids

    def encoder_model(self, in_shape: InShape) -> Model:
        """Return the encoder with its shapes."""
        return Model(self.encoder, in_shape, self.n_codes)

    def decoder_model(self, in_shape: tuple[int, ...], n_values: int) -> Model:
        """Return the decoder with its shapes and `n_values` outputs."""
        wants_shape = self.decoder.get_params(deep=False).get("out_shape", in_shape) is None
        decoder = self.decoder.replace(out_shape=in_shape) if wants_shape else self.decoder
        return Model(decoder, (self.n_components,), n_values)

    def n_decoded(self, n_outputs: Any) -> int:
        """Return the number of outputs of the decoder."""
        return int(n_outputs)

    def with_codes(self, decoded: Any, codes: Any) -> Any:
        """Return the raw output of the whole network, from the decoder's output and the codes."""
        return decoded

    def build(self, in_shape: tuple[int, ...], n_outputs: Any) -> NetworkFunctions:
        encoder = functions_of(self.encoder, in_shape, self.n_codes, CODE)
        decoder = functions_of_model(self.decoder_model(in_shape, self.n_decoded(n_outputs)))

        def init(key: Array, x: Array) -> tuple[Params, ModelState]:
            first, second = jax.random.split(key)
            z = jnp.zeros((len(x), self.n_components), float_dtype(x))
            return _pair("decoder", encoder.init(first, x), decoder.init(second, z))

        def apply(
            params: Params, state: ModelState, x: Array, train: bool, key: Array | None, row_mask: Array | None
        ) -> tuple[Raw, ModelState]:
            keys = [None] * 4 if key is None else list(jax.random.split(key, 4))
            if train and self.n_ids is None:
                x = _with_noise(x, self.noise, keys[0])
            codes, first = encoder.apply(params["encoder"], state["encoder"], x, train, keys[1], row_mask)
            z = self.latent(codes, train, keys[2])
            raw, second = decoder.apply(params["decoder"], state["decoder"], z, train, keys[3], row_mask)
            return self.with_codes(raw, codes), {"encoder": first, "decoder": second}

        return NetworkFunctions(init, apply)


class Pretrained(Network):
    """A head on the first `n_components` outputs of a pretrained encoder.

    If the encoder is trained further, it is part of the parameters, `{"encoder": ..., "head": ...}`. If it is frozen, its parameters
    are part of the model state, so neither optimizer nor penalties change them, and it is applied as in prediction.

    Parameters
    ----------
    encoder, head : Network
    n_codes : int
        Number of outputs of the encoder.
    n_components : int
    frozen : bool, default=False
    """

    encoder: Network
    head: Network
    n_codes: int
    n_components: int
    frozen: bool = False

    def check_rows(self, x: Any) -> None:
        self.encoder.check_rows(x)

    @property
    def n_ids(self) -> int | None:
        return self.encoder.n_ids

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> NetworkFunctions:
        encoder = functions_of(self.encoder, in_shape, self.n_codes, CODE)
        head = functions_of(self.head, (self.n_components,), n_outputs)

        def init(key: Array, x: Array) -> tuple[Params, ModelState]:
            first, second = jax.random.split(key)
            z = jnp.zeros((len(x), self.n_components), float_dtype(x))
            params, state = _pair("head", encoder.init(first, x), head.init(second, z))
            return regrouped(params, state, self.frozen)

        def apply(
            params: Params, state: ModelState, x: Array, train: bool, key: Array | None, row_mask: Array | None
        ) -> tuple[Raw, ModelState]:
            keys = (None, None) if key is None else jax.random.split(key)
            encoder_params = state["frozen"] if self.frozen else params["encoder"]
            trains = train and not self.frozen
            codes, first = encoder.apply(encoder_params, state["encoder"], x, trains, keys[0], row_mask)
            z = codes[:, : self.n_components]
            raw, second = head.apply(params["head"], state["head"], z, train, keys[1], row_mask)
            return raw, {**state, "encoder": first, "head": second}

        return NetworkFunctions(init, apply)


def regrouped(params: Params, state: ModelState, frozen: bool) -> tuple[Params, ModelState]:
    """Return parameters and model state of `Pretrained`, with the encoder's parameters in the model state if it is frozen."""
    encoder = state["frozen"] if "frozen" in state else params["encoder"]
    state = {name: state[name] for name in ("encoder", "head")}
    if frozen:
        return {"head": params["head"]}, {**state, "frozen": encoder}
    return {"encoder": encoder, "head": params["head"]}, state


def functions_of_model(model: Model, needed_by: str = "the loss") -> NetworkFunctions:
    """Return the pure functions of the network of a model."""
    return functions_of(model.network, model.in_shape, model.n_raw, needed_by)


def _pair(second: str, of_encoder: tuple[Any, Any], of_second: tuple[Any, Any]) -> tuple[Params, ModelState]:
    return tuple({"encoder": a, second: b} for a, b in zip(of_encoder, of_second, strict=True))  # type: ignore[return-value]


def _with_noise(x: Float[Array, "n ..."], scale: Any, key: Any) -> Float[Array, "n ..."]:
    """Return the rows with normal noise; if `scale` is 0, the compiled program draws no random numbers."""
    noise: Float[Array, "n ..."] = lax.cond(
        scale > 0,
        lambda: jnp.asarray(scale, x.dtype) * jax.random.normal(key, x.shape, x.dtype),
        lambda: jnp.zeros(x.shape, x.dtype),
    )
    return x + noise
