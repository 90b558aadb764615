"""Layers for sequences against Flax's cells and attention and finite differences, and masked steps."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose, assert_array_equal

from skdeep import DeepClassifier
from skdeep.contract import call_arguments
from skdeep.core.random import wrap_key
from skdeep.estimators.resolve import layer_from
from skdeep.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Embedding,
    Masking,
    PositionalEncoding,
    SelfAttention,
    SimpleRNN,
    TransformerBlock,
)
from skdeep.layers.linen.recurrence import GRUCell, LSTMCell, SimpleCell, recur

KEY = np.array([7, 0], np.uint32)
N, T, F, U = 4, 6, 3, 5
X = np.random.default_rng(0).normal(size=(N, T, F)).astype(np.float32)
LENGTHS = np.array([6, 4, 1, 2])
ENDS = np.arange(T)[None, :] < LENGTHS[:, None]
HOLES = np.random.default_rng(1).random((N, T)) < 0.6  # masked steps at the front, in the middle and at the end
HOLES[0] = False

CELLS = [
    (LSTM(U), nn.OptimizedLSTMCell(U)),
    (GRU(U), nn.GRUCell(U)),
    (SimpleRNN(U), nn.SimpleCell(U)),
    (SimpleRNN(U, activation="relu"), nn.SimpleCell(U, activation_fn=nn.relu)),
]
NAMES = ["lstm", "gru", "rnn", "rnn relu"]
close = functools.partial(assert_allclose, rtol=1e-5, atol=1e-6)


@functools.partial(jax.jit, static_argnums=(0, 4))
def applied(layer, params, x, mask, train=False):
    module = layer.build()
    rngs = {"dropout": jax.random.key(1)}
    return module.apply({"params": params}, x, rngs=rngs, **call_arguments(module, train, None, mask))


@functools.partial(jax.jit, static_argnums=0)
def init(layer, x=X):
    module = layer.build()
    return module.init({"params": wrap_key(jnp.array(KEY))}, x, **call_arguments(module, False, None)).get("params", {})


def noisy(params):
    """Return parameters plus noise: biases are initialised with 0, which would hide errors."""
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda p: np.asarray(p) + 0.3 * rng.normal(size=p.shape).astype(np.float32), params)


def shapes(params):
    return jax.tree.map(np.shape, params)


@pytest.mark.parametrize(("layer", "cell"), CELLS, ids=NAMES)
def test_recurrent_parameters_have_flaxs_names_and_shapes(layer, cell):

    @jax.jit
    def flax_init(x):
        carry = cell.initialize_carry(jax.random.key(0), x.shape)
        return cell.init({"params": wrap_key(jnp.array(KEY))}, carry, x)["params"]

    jax.tree.map(close, init(layer), flax_init(X[:, 0]))


@pytest.mark.parametrize(
    ("layer", "cell", "reverse"), [(*CELLS[0], True), *((*cell, False) for cell in CELLS)], ids=["reverse lstm", *NAMES]
)
def test_recurrence_and_gradients_equal_flax(layer, cell, reverse):
    layer, rnn = layer.replace(reverse=reverse), nn.RNN(cell, reverse=reverse, keep_order=True)
    params, weight = noisy(init(layer)), np.random.default_rng(2).normal(size=(N, T, U)).astype(np.float32)

    def ours(params, x):
        y = applied(layer.replace(return_sequences=True), params, x, None)
        return jnp.sum(weight * y), y

    def flax(params, x):
        y = rnn.apply({"params": {"cell": params}}, x)
        return jnp.sum(weight * y), y

    run = [jax.jit(jax.value_and_grad(f, argnums=(0, 1), has_aux=True)) for f in (ours, flax)]
    ((_, got), grad), ((_, expected), expected_grad) = (f(params, X) for f in run)
    close(got, expected)
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-5), grad, expected_grad)
    close(applied(layer, params, X, None), expected[:, 0] if reverse else expected[:, -1])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("layer", "cell"), CELLS[:2], ids=NAMES[:2])
def test_masked_ends_equal_flaxs_seq_lengths(layer, cell, reverse):
    layer = layer.replace(reverse=reverse, return_sequences=True)
    params = noisy(init(layer))
    rnn = nn.RNN(cell, reverse=reverse, keep_order=True, return_carry=True)
    apply = jax.jit(lambda params, x: rnn.apply({"params": {"cell": params}}, x, seq_lengths=LENGTHS))
    carry, expected = apply(params, X)
    close(np.asarray(applied(layer, params, X, ENDS))[ENDS], np.asarray(expected)[ENDS])
    h = carry[1] if isinstance(carry, tuple) else carry
    close(applied(layer.replace(return_sequences=False), params, X, ENDS), h)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("layer", [LSTM(U), GRU(U), SimpleRNN(U)], ids=NAMES[:3])
def test_a_masked_step_equals_a_removed_step(layer, reverse):
    layer = layer.replace(reverse=reverse, return_sequences=True)
    params = noisy(init(layer))
    output = np.asarray(applied(layer, params, X, HOLES))
    last = np.asarray(applied(layer.replace(return_sequences=False), params, X, HOLES))
    assert_array_equal(output[0], 0.0)  # all steps are masked: the initial carry of zeros
    assert_array_equal(last, output[:, 0] if reverse else output[:, -1])
    packed = np.zeros_like(X)
    for row, kept in enumerate(HOLES):
        packed[row, : kept.sum()] = X[row, kept]
    lengths = np.arange(T)[None, :] < HOLES.sum(1)[:, None]
    close(output[HOLES], np.asarray(applied(layer, params, packed, lengths))[lengths])


@pytest.mark.parametrize("mask", [None, HOLES.T], ids=["no mask", "mask"])
@pytest.mark.parametrize(
    ("cell", "n_sums", "reverse"), [(LSTMCell(), 4, False), (GRUCell(), 4, True), (SimpleCell(jnp.sin), 1, False)]
)
def test_backward_pass_equals_finite_differences(cell, n_sums, reverse, mask):
    """The gradient with respect to kernel and rows equals finite differences in float64."""
    with jax.enable_x64(True):
        kernel = 0.4 * np.random.default_rng(4).normal(size=(F + U + 1, n_sums * U))
        x = np.asarray(X.swapaxes(0, 1), np.float64)
        check_grads(
            jax.jit(lambda x, kernel: recur(cell, reverse, x, kernel, mask)),
            (x, kernel),
            1,
            modes=["rev"],
            atol=1e-6,
            rtol=1e-6,
            eps=1e-5,
        )


def test_masked_steps_have_no_gradient():
    layer = LSTM(U)
    params = noisy(init(layer))
    grad = jax.jit(jax.grad(lambda x: jnp.sum(applied(layer, params, x, HOLES) ** 2)))(X)
    assert_array_equal(np.asarray(grad)[~HOLES], 0.0)
    assert (np.abs(np.asarray(grad)[HOLES]).sum(-1) > 0).all()


def test_vmap_over_configurations_equals_each_one_alone():
    layer = GRU(U)
    params = [noisy(init(layer)), init(layer)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *params)

    def slope(params):
        return jax.grad(lambda p: jnp.sum(applied(layer, p, X, HOLES) ** 2))(params)

    together, alone = jax.jit(jax.vmap(slope))(stacked), jax.jit(slope)
    for i, one in enumerate(params):
        jax.tree.map(lambda a, b, i=i: assert_allclose(a[i], b, rtol=1e-4, atol=1e-5), together, alone(one))


@pytest.mark.parametrize("mask", [None, HOLES], ids=["no mask", "mask"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_bidirectional_concatenates_both_directions(return_sequences, mask):
    layer = LSTM(U, return_sequences=return_sequences)
    params = noisy(init(Bidirectional(layer)))
    assert set(params) == {"forward", "backward"}
    forward = applied(layer, params["forward"], X, mask)
    backward = applied(layer.replace(reverse=True), params["backward"], X, mask)
    got = applied(Bidirectional(layer), params, X, mask)
    assert_array_equal(got, np.concatenate([forward, backward], axis=-1))
    assert np.abs(params["forward"]["hi"]["kernel"] - params["backward"]["hi"]["kernel"]).max() > 1e-2


@pytest.mark.parametrize("layer", [LSTM(U), GRU(U), SimpleRNN(U), Bidirectional(LSTM(U))])
def test_output_mask_exists_for_sequences_only(layer):
    assert layer.output_mask(X, HOLES) is None
    whole = Bidirectional(LSTM(U, return_sequences=True)) if isinstance(layer, Bidirectional) else None
    assert (whole or layer.replace(return_sequences=True)).output_mask(X, HOLES) is HOLES


def test_masking():
    x = X.copy()
    x[1, 2], x[3], x[0, 0, 0] = -1.0, -1.0, -1.0  # a step, a whole row, one value of a step
    expected = np.ones((N, T), bool)
    expected[1, 2], expected[3] = False, False
    layer = Masking(-1.0)
    assert_array_equal(layer.output_mask(x, None), expected)
    assert_array_equal(layer.output_mask(x, HOLES), expected & HOLES)
    assert_array_equal(applied(layer, {}, x, None), np.where(expected[..., None], x, 0))
    assert_array_equal(applied(layer, {}, x, HOLES), np.where((expected & HOLES)[..., None], x, 0))
    assert_array_equal(layer.output_mask(x[..., 0], None), x[..., 0] != -1.0)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(LSTM(U), marks=pytest.mark.campaign),
        Bidirectional(GRU(U)),
        pytest.param(TransformerBlock(3), marks=pytest.mark.campaign),
        TransformerBlock(3, causal=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_rows_with_all_steps_masked_give_finite_numbers(layer):
    mask = np.zeros((N, T), bool)

    @functools.partial(jax.value_and_grad, has_aux=True)
    def run(params):
        output = applied(layer, params, np.zeros_like(X), mask)
        return jnp.sum(output**2), output

    for leaf in jax.tree.leaves(jax.jit(run)(init(layer))):
        assert np.isfinite(leaf).all()


def test_embedding_returns_rows_of_its_table():
    layer, ids = Embedding(7, 4), np.array([[0, 3, 6], [1, 1, 2]], np.float32)
    params = init(layer, ids)
    assert shapes(params) == {"embedding": (7, 4)}
    expected = np.asarray(params["embedding"])[ids.astype(int)]
    assert_array_equal(applied(layer, params, ids, None), expected)
    assert_array_equal(applied(layer, params, ids[..., None], None), expected)
    assert_array_equal(nn.Embed(7, 4).apply({"params": params}, ids.astype(int)), expected)


def test_embedding_masks_a_token():
    ids = np.array([[0, 3, -1], [1, -1, -1]], np.float32)
    layer = Embedding(7, 4, mask_token=-1)
    assert_array_equal(layer.output_mask(ids, None), ids != -1)
    assert_array_equal(layer.output_mask(ids[..., None], None), ids != -1)
    assert_array_equal(layer.output_mask(ids, ids != 3), (ids != -1) & (ids != 3))
    assert np.isfinite(applied(layer, init(layer, ids), ids, None)).all()
    assert Embedding(7).output_mask(ids, None) is None


IDS = np.random.default_rng(5).integers(0, 7, size=(12, 4)).astype(float)
LABELS = np.arange(12) % 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, r"whole numbers from 0 to 6 \(n_tokens=7\). Got 7 in row 5 of X, step 2."),
        (-1, "Got -1 in row 5"),
        (2.5, "Got 2.5 in row 5"),
    ],
)
def test_ids_out_of_range_are_an_error_in_every_method(value, message):
    wrong = IDS.copy()
    wrong[5, 2] = value
    model = DeepClassifier(network=[Embedding(7, 2)], max_epochs=1, tol=None)
    weight = np.ones(12)
    weight[:3] = 0  # rows without weight still count
    with pytest.raises(ValueError, match=message):
        model.fit(wrong, LABELS, weight)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(wrong, LABELS, classes=[0, 1], sample_weight=weight)
    with pytest.raises(ValueError, match=message):
        model.fit(IDS, LABELS, X_val=wrong, y_val=LABELS)
    model.fit(IDS, LABELS)
    with pytest.raises(ValueError, match=message):
        model.predict(wrong)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(wrong, LABELS)


def test_mask_token_may_lie_outside_the_ids():
    padded = IDS.copy()
    padded[:, 3] = -1
    network = [Embedding(7, 2, mask_token=-1), LSTM(3)]
    DeepClassifier(network=network, max_epochs=1, tol=None).fit(padded, LABELS).predict(padded)
    with pytest.raises(ValueError, match="from 0 to 6 .n_tokens=7., or -1 for masked steps. Got -2 in row 0"):
        Embedding(7, 2, mask_token=-1).check_rows(np.full((1, 1), -2.0))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, ENDS], ids=["no mask", "mask"])
def test_attention_equals_flax(mask, causal):
    layer, x = SelfAttention(2, 3, causal=causal), np.concatenate([X, X[..., :1]], -1)
    params = noisy(init(layer, x))
    assert set(params) == {"attention"}
    allowed = np.ones((N, 1, T, T), bool)
    if mask is not None:
        allowed &= mask[:, None, None, :]
    if causal:
        allowed &= np.tril(np.ones((T, T), bool))
    flax = nn.MultiHeadDotProductAttention(2, qkv_features=6)
    expected = jax.jit(lambda params, x: flax.apply({"params": params}, x, mask=allowed))(params["attention"], x)
    assert shapes(params["attention"]["query"]) == {"kernel": (4, 2, 3), "bias": (2, 3)}
    close(applied(layer, params, x, mask), expected)


def test_no_step_attends_to_masked_steps():
    layer, x = TransformerBlock(2, 2), np.concatenate([X, X[..., :1]], -1)
    params, changed = noisy(init(layer, x)), np.where(HOLES[..., None], x, 50.0).astype(np.float32)
    first, second = (np.asarray(applied(layer, params, rows, HOLES)) for rows in (x, changed))
    close(first[HOLES], second[HOLES])
    assert np.abs(first[~HOLES] - second[~HOLES]).max() > 1


@pytest.mark.parametrize("layer", [SelfAttention(2), TransformerBlock(2)], ids=["attention", "block"])
def test_dropout_rate_is_traced(layer):
    x = np.concatenate([X, X[..., :1]], -1)
    params, n_traces = init(layer, x), []

    @jax.jit
    def run(layer):
        n_traces.append(1)
        return layer.build().apply({"params": params}, x, True, rngs={"dropout": jax.random.key(0)})

    none, half = (run(layer.replace(dropout_rate=np.float32(rate))) for rate in (0.0, 0.5))
    assert len(n_traces) == 1
    close(none, applied(layer, params, x, None))
    assert np.abs(none - half).max() > 1e-2


def numpy_block(params, x):
    """A pre-norm block in NumPy: x plus attention(norm(x)), then plus dense(gelu(dense(norm(...))))."""

    def norm(x, p):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]

    a = params["SelfAttention_0"]["attention"]
    q, k, v = (
        np.einsum("ntf,fhd->nhtd", norm(x, params["LayerNorm_0"]), a[name]["kernel"]) + a[name]["bias"][:, None, :]
        for name in ("query", "key", "value")
    )
    weight = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    seen = weight / weight.sum(-1, keepdims=True) @ v
    x = x + np.einsum("nhtd,hdf->ntf", seen, a["out"]["kernel"]) + a["out"]["bias"]
    first, second = params["Dense_0"], params["Dense_1"]
    hidden = norm(x, params["LayerNorm_1"]) @ first["kernel"] + first["bias"]
    gelu = hidden / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    return x + gelu @ second["kernel"] + second["bias"]


def test_transformer_block_equals_its_formula():
    layer, x = TransformerBlock(2, 3), np.concatenate([X, X[..., :1]], -1)
    params = noisy(init(layer, x))
    assert params["Dense_0"]["kernel"].shape == (4, 12)
    assert_allclose(applied(layer, params, x, None), numpy_block(params, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_features", [4, 5])
def test_sinusoids_equal_the_formula_of_the_paper(n_features):
    x = np.zeros((1, T, n_features), np.float32)
    expected = np.empty((T, n_features))
    for position in range(T):
        for feature in range(n_features):
            angle = position / 10_000 ** (2 * (feature // 2) / n_features)
            expected[position, feature] = np.sin(angle) if feature % 2 == 0 else np.cos(angle)
    close(applied(PositionalEncoding(), {}, x, None)[0], expected)
    close(applied(PositionalEncoding(), {}, x + 2, None)[0], expected + 2)


def test_learned_positions():
    params = init(PositionalEncoding("learned"))
    assert shapes(params) == {"table": (T, F)}
    long = PositionalEncoding("learned", max_length=9)
    params = init(long)
    assert shapes(params) == {"table": (9, F)}
    close(applied(long, params, X, None), X + np.asarray(params["table"])[:T])
    with pytest.raises(ValueError, match="'max_length' field of PositionalEncoding is 5, but the rows have 6 steps"):
        init(PositionalEncoding("learned", max_length=5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(0), "The 'units' field of LSTM must be a positive int. Got 0 instead."),
        (lambda: GRU(2.5), "The 'units' field of GRU must be a positive int. Got 2.5 instead."),
        (lambda: SimpleRNN(activation="tan"), "Unknown activation 'tan'. Did you mean 'tanh'?"),
        (lambda: SimpleRNN(-1), "The 'units' field of SimpleRNN"),
        (lambda: Bidirectional(Dense()), r"The 'layer' field of Bidirectional must be a recurrent layer.* Got Dense\("),
        (lambda: Embedding(0), "The 'n_tokens' field of Embedding must be a positive int. Got 0 instead."),
        (lambda: Embedding(features=0), "The 'features' field of Embedding"),
        (
            lambda: Embedding(mask_token=0.5),
            "The 'mask_token' field of Embedding must be an int or None. Got 0.5 instead.",
        ),
        (lambda: SelfAttention(0), "The 'n_heads' field of SelfAttention must be a positive int. Got 0 instead."),
        (lambda: SelfAttention(head_features=0), "The 'head_features' field of SelfAttention"),
        (
            lambda: SelfAttention(dropout_rate=1.0),
            r"The 'dropout_rate' field of SelfAttention must be None or in \[0, 1\). Got 1.0 instead.",
        ),
        (lambda: TransformerBlock(0), "The 'n_heads' field of TransformerBlock"),
        (lambda: TransformerBlock(widths_factor=0), "The 'widths_factor' field of TransformerBlock"),
        (lambda: TransformerBlock(dropout_rate=-0.1), "The 'dropout_rate' field of TransformerBlock"),
        (lambda: PositionalEncoding("sine"), r"must be one of \['sinusoidal', 'learned'\]. Got 'sine' instead."),
        (lambda: PositionalEncoding(max_length=4), "'max_length' field .* needs encoding='learned'. Got 4"),
        (
            lambda: PositionalEncoding("learned", 0),
            "The 'max_length' field of PositionalEncoding must be a positive int.",
        ),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "layer",
    [LSTM(U), GRU(U), SimpleRNN(U), SelfAttention(), TransformerBlock(), PositionalEncoding()],
    ids=lambda layer: type(layer).__name__,
)
def test_rows_without_features_raise(layer):
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"^{name} takes rows of shape \(time, features\). Got rows of shape \(6,\)"):
        init(layer, X[..., 0])


def test_rows_that_do_not_fit_the_layer_raise():
    with pytest.raises(ValueError, match=r"Embedding takes rows of token ids.* Got rows of shape \(6, 3\) instead."):
        init(Embedding(7))
    with pytest.raises(ValueError, match="'n_heads' field must divide the 3 features of the rows. Got 2 instead."):
        init(SelfAttention(2))


def test_layers_by_name_with_fields():
    assert layer_from(("bidirectional", {"layer": ("gru", {"units": 8})})) == Bidirectional(GRU(8))
    assert layer_from(("rnn", {"units": 8})) == SimpleRNN(8)
