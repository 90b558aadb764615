"""Networks for sequences: parameters, values against Flax and NumPy, padded steps, refused rows, and fits."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep import DeepClassifier, DeepRegressor, layers
from skdeep.core.network import functions_of
from skdeep.core.programs import TracedFunction
from skdeep.core.random import wrap_key
from skdeep.layers import Embedding, PositionalEncoding, TransformerBlock
from skdeep.networks import GRU, LSTM, TCN, Sequential, Transformer
from skdeep.testing import parametrize_with_component_checks

KEY = np.array([7, 0], np.uint32)
X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
PADDING = -9.0
NETWORKS = [
    LSTM(8, mask_value=PADDING),
    LSTM(4, bidirectional=True, mask_value=PADDING),
    GRU(8, n_layers=2, mask_value=PADDING),
    TCN((8, 8, 4), mask_value=PADDING),
    Transformer(1, 8, 2, 0.0, mask_value=PADDING),
]
NAMES = ["lstm", "bidirectional lstm", "gru", "tcn", "transformer"]


def campaign(*values):
    """Return a case for the campaign: what it asks is asked here of its siblings."""
    return pytest.param(*values, marks=pytest.mark.campaign)


close = functools.partial(assert_allclose, rtol=1e-5, atol=1e-5)


def flax(module, params, *arguments):
    """Apply a module of Flax in one program."""
    return np.asarray(jax.jit(lambda params, *x: module.apply({"params": params}, *x))(params, *arguments))


def init(network, x=X):
    def make(words, x):
        return functions_of(network, x.shape[1:], 2).init(wrap_key(words), x)

    params, state = TracedFunction(make, "init")(KEY, x[:1])
    assert state == {}
    return params


def raw(network, params, x=X, train=False):
    return np.asarray(applied(network, params, x, train))


@functools.partial(jax.jit, static_argnums=(0, 3))
def applied(network, params, x, train):
    key = wrap_key(jnp.array(KEY)) if train else None
    return functions_of(network, x.shape[1:], 2).apply(params, {}, x, train, key, jnp.ones(len(x)))[0]


def shapes(params):
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


def noisy(params):
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda p: np.asarray(p) + 0.2 * rng.normal(size=p.shape).astype(np.float32), params)


def affine(x, layer):
    return x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])


def padded(x, n_steps=3, at=None):
    """Return rows with masked steps appended, or inserted before step `at`."""
    extra = np.full((len(x), n_steps, *x.shape[2:]), PADDING, x.dtype)
    at = x.shape[1] if at is None else at
    return np.concatenate([x[:, :at], extra, x[:, at:]], axis=1)


def test_parameter_names_and_shapes():
    gates = {f"i{g}/kernel": (3, 8) for g in "ifgo"} | {f"h{g}/kernel": (8, 8) for g in "ifgo"}
    gates |= {f"h{g}/bias": (8,) for g in "ifgo"}
    output = {"output/kernel": (8, 2), "output/bias": (2,)}
    assert shapes(init(LSTM(8))) == {f"LSTM_0/{name}": shape for name, shape in gates.items()} | output
    both = shapes(init(GRU(8, n_layers=2, bidirectional=True)))
    assert both["Bidirectional_0/forward/ir/kernel"] == (3, 8)
    assert both["Bidirectional_1/backward/ir/kernel"] == (16, 8)
    assert both["output/kernel"] == (16, 2)
    assert {name: shape for name, shape in shapes(init(TCN((4, 8), 2))).items() if "kernel" in name} == {
        "TemporalBlock_0/CausalConv_0/kernel": (2, 3, 4),
        "TemporalBlock_0/CausalConv_1/kernel": (2, 4, 4),
        "TemporalBlock_0/shortcut/kernel": (3, 4),
        "TemporalBlock_1/CausalConv_0/kernel": (2, 4, 8),
        "TemporalBlock_1/CausalConv_1/kernel": (2, 8, 8),
        "TemporalBlock_1/shortcut/kernel": (4, 8),
        "output/kernel": (8, 2),
    }
    transformer = shapes(init(Transformer(1, 8, 2)))
    assert transformer["projection/kernel"] == (3, 8)
    assert transformer["TransformerBlock_0/SelfAttention_0/attention/query/kernel"] == (8, 2, 4)
    tokens = shapes(init(Transformer(1, 8, 2, n_tokens=10), np.zeros((1, 5), np.float32)))
    assert tokens["embedding/embedding"] == (10, 8)
    assert "projection/kernel" not in tokens


def test_lstm_equals_flax():
    network = LSTM(8, n_layers=2)
    params, x = noisy(init(network)), X
    for i in range(2):
        x = flax(nn.RNN(nn.OptimizedLSTMCell(8)), {"cell": params[f"LSTM_{i}"]}, x)
    close(raw(network, params), affine(np.asarray(x[:, -1]), params["output"]))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_tcn_equals_flaxs_convolutions(kernel_size):
    network = TCN((8, 8, 4), kernel_size)
    params, x = noisy(init(network)), X
    for i, width in enumerate(network.widths):
        block, y = params[f"TemporalBlock_{i}"], x
        for name in ("CausalConv_0", "CausalConv_1"):
            conv = nn.Conv(width, (kernel_size,), padding="CAUSAL", kernel_dilation=2**i)
            y = np.maximum(flax(conv, block[name], y), 0)
        shortcut = affine(x, block["shortcut"]) if "shortcut" in block else x
        x = np.maximum(shortcut + y, 0)
    assert_allclose(raw(network, params), affine(x[:, -1], params["output"]), rtol=1e-4, atol=1e-4)


def test_transformer_equals_its_parts_composed():
    network = Transformer(2, 8, 2)
    params = noisy(init(network))
    x = flax(PositionalEncoding().build(), {}, affine(X, params["projection"]))
    block = TransformerBlock(2).build()
    apply = jax.jit(lambda params, x: block.apply({"params": params}, x, False))
    for i in range(2):
        x = apply(params[f"TransformerBlock_{i}"], x)
    x = flax(nn.LayerNorm(), params["LayerNorm_0"], x).mean(axis=1)
    close(raw(network, params), affine(x, params["output"]))


@pytest.mark.parametrize("network", [campaign(NETWORKS[0]), *NETWORKS[1:]], ids=NAMES)
def test_appended_masked_steps_do_not_change_predictions(network):
    params = init(network)
    jax.tree.map(close, init(network, padded(X)), params)
    params = noisy(params)
    expected = raw(network, params)
    close(raw(network, params, padded(X)), expected)
    assert np.abs(raw(network.replace(mask_value=None), params, padded(X)) - expected).max() > 1e-2


@pytest.mark.parametrize("network", [campaign(NETWORKS[0]), *NETWORKS[1:3]], ids=NAMES[:3])
@pytest.mark.parametrize("at", [0, 2])
def test_recurrent_networks_skip_masked_steps_anywhere(network, at):
    params = noisy(init(network))
    close(raw(network, params, padded(X, at=at)), raw(network, params))


@pytest.mark.parametrize("network", [campaign(NETWORKS[0]), *NETWORKS[1:]], ids=NAMES)
def test_rows_with_all_steps_masked_give_equal_finite_outputs(network):
    params, x = noisy(init(network)), X.copy()
    x[:2] = PADDING
    output = raw(network, params, x)
    assert np.isfinite(output).all()
    close(output[0], output[1])
    close(output[2:], raw(network, params)[2:])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "network",
    [campaign(NETWORKS[0]), NETWORKS[1], campaign(NETWORKS[2]), campaign(NETWORKS[3]), NETWORKS[4]],
    ids=NAMES,
)
def test_training_with_masked_steps_gives_the_same_parameters(network):
    y = X[:, 0, 0]
    model = DeepRegressor(network=network, optimizer="sgd", learning_rate=0.1, max_epochs=3, tol=None, random_state=0)
    plain, with_padding = (model.fit(x, y).params_ for x in (X, padded(X)))
    start = model.set_params(learning_rate=1e-30).fit(X, y).params_
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-5), with_padding, plain)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), plain, start)
    assert max(jax.tree.leaves(moved)) > 1e-2


@pytest.mark.parametrize("network", [campaign(LSTM(8)), GRU(8), TCN((8,)), Transformer(1, 8, 2)])
def test_rows_of_numbers_are_sequences_of_one_feature(network):
    x = X[..., 0]
    params = init(network, x)
    jax.tree.map(close, init(network, x[..., None]), params)
    close(raw(network, params, x), raw(network, params, x[..., None]))


@pytest.mark.parametrize("network", [LSTM(8), GRU(8), TCN((8,)), Transformer(1, 8, 2)])
def test_rows_with_too_many_axes_are_refused(network):
    name = type(network).__name__
    message = rf"The network {name} takes rows of shape \(time, features\) or \(time,\). Got rows of shape \(5, 3, 1\)"
    with pytest.raises(ValueError, match=message):
        DeepClassifier(network=network).fit(X[..., None], np.arange(6) % 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(0), "The 'units' field of LSTM must be a positive int. Got 0 instead."),
        (lambda: GRU(n_layers=0), "The 'n_layers' field of GRU must be a positive int. Got 0 instead."),
        (
            lambda: LSTM(dropout_rate=1.0),
            r"The 'dropout_rate' field of LSTM must be None or in \[0, 1\). Got 1.0 instead.",
        ),
        (lambda: TCN(8), "The 'widths' field of TCN must be a tuple of one or more positive ints. Got 8 instead."),
        (lambda: TCN(()), r"The 'widths' field of TCN must be a tuple of one or more positive ints. Got \(\) instead."),
        (lambda: TCN(kernel_size=0), "The 'kernel_size' field of TCN must be a positive int. Got 0 instead."),
        (lambda: TCN(dropout_rate=2), "The 'dropout_rate' field of TCN"),
        (lambda: Transformer(n_layers=0), "The 'n_layers' field of Transformer must be a positive int. Got 0 instead."),
        (
            lambda: Transformer(features=10),
            "The 'features' field of Transformer must be a multiple of n_heads=4. Got 10",
        ),
        (
            lambda: Transformer(n_tokens=0),
            "The 'n_tokens' field of Transformer must be a positive int or None. Got 0 instead.",
        ),
        (lambda: Transformer(dropout_rate=-1.0), "The 'dropout_rate' field of Transformer"),
        (lambda: LSTM(n_tokens=0), "The 'n_tokens' field of LSTM must be a positive int or None. Got 0 instead."),
        (lambda: TCN(n_tokens=-1), "The 'n_tokens' field of TCN must be a positive int or None. Got -1 instead."),
        (
            lambda: GRU(n_tokens=5, mask_value=0.5),
            "The 'mask_value' field of GRU must be a whole number of at most 16777216 .* Got 0.5 instead.",
        ),
        (lambda: TCN(n_tokens=5, mask_value=float("nan")), "The 'mask_value' field of TCN .* Got nan instead."),
        (
            lambda: Transformer(n_tokens=5, mask_value=2.0**25),
            "The 'mask_value' field of Transformer .* Got 33554432.0",
        ),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "network",
    [
        Transformer(1, 8, 2, mask_value=-1.0, n_tokens=6),
        Sequential((Embedding(6, 4, mask_token=-1),)),
        campaign(LSTM(4, mask_value=-1.0, n_tokens=6)),
        campaign(GRU(4, bidirectional=True, mask_value=-1.0, n_tokens=6)),
        campaign(TCN((4,), mask_value=-1.0, n_tokens=6)),
    ],
    ids=["transformer", "layers", "lstm", "gru", "tcn"],
)
def test_networks_of_tokens_refuse_other_values(network):
    ids, y = np.arange(24.0).reshape(6, 4) % 7 - 1, np.arange(6) % 2
    model = DeepClassifier(network=network, max_epochs=1, tol=None).fit(ids, y)
    assert model.predict(ids).shape == (6,)
    ids[4, 1] = 6
    with pytest.raises(ValueError, match=r"n_tokens=6\), or -1 for masked steps. Got 6 in row 4 of X, step 1"):
        model.predict(ids)
    with pytest.raises(ValueError, match="Got 6 in row 4 of X, step 1"):
        model.fit(ids, y)


@pytest.mark.parametrize(
    "network",
    [campaign(LSTM(4, mask_value=-1.0)), GRU(4, mask_value=-1.0), TCN((4, 4), mask_value=-1.0)],
    ids=["lstm", "gru", "tcn"],
)
def test_ids_select_rows_of_the_embedding_table(network):
    """The output equals that for vectors looked up by NumPy, with padding as vectors of -1."""
    ids = np.array([[3, 0, 5, 1], [2, 2, 0, -1], [5, 4, -1, -1]], np.float32)
    params = dict(init(network.replace(n_tokens=6), ids))
    assert params["embedding"]["embedding"].shape == (6, 4)
    assert len({row.tobytes() for row in raw(network.replace(n_tokens=6), params, ids)}) == 3
    vectors = np.where(ids[..., None] < 0, -1.0, np.asarray(params["embedding"]["embedding"])[ids.astype(int)])
    of_ids = raw(network.replace(n_tokens=6), params, ids)
    del params["embedding"]
    close(of_ids, raw(network, params, vectors.astype(np.float32)))


def test_ids_can_be_learned_if_their_order_has_no_meaning():
    rng = np.random.default_rng(0)
    is_marked = rng.permutation(np.arange(60) % 2)
    ids = rng.integers(0, 60, (400, 6))
    y = is_marked[ids[:, -1]]
    settings = {"max_epochs": 60, "learning_rate": 0.01, "tol": None, "random_state": 0}
    model = DeepClassifier(network=GRU(16, n_tokens=60), **settings).fit(ids[:300], y[:300])
    assert model.score(ids[300:], y[300:]) > 0.9


def test_the_causal_form_of_a_network_of_tokens_takes_vectors():
    for network in (LSTM(4), TCN((4,))):
        with_tokens = network.replace(n_tokens=9)
        assert with_tokens.build_causal((5, 3), 2) == network.build_causal((5, 3), 2)


def test_ids_are_one_per_step():
    with pytest.raises(
        ValueError, match=r"LSTM with n_tokens=6 takes rows of one id per step.* Got rows of shape \(5, 3\)"
    ):
        LSTM(n_tokens=6).build((5, 3), 2)


@pytest.mark.parametrize(
    "network", [GRU(8, dropout_rate=0.0), TCN((8,), dropout_rate=0.0), Transformer(1, 8, 2, dropout_rate=0.0)]
)
def test_dropout_acts_in_training_only(network):
    params, dropped = init(network), network.replace(dropout_rate=0.5)
    close(raw(network, params, train=True), raw(network, params))
    close(raw(dropped, params), raw(network, params))
    assert np.abs(raw(dropped, params, train=True) - raw(network, params)).max() > 1e-2


DIGITS = train_test_split(*load_digits(return_X_y=True), test_size=0.25, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("network", "n_epochs"),
    [campaign(LSTM(32), 12), campaign(GRU(32), 12), (TCN((32, 32)), 6), campaign(Transformer(1, 32, 4, 0.0), 15)],
    ids=["lstm", "gru", "tcn", "transformer"],
)
def test_digits_read_row_by_row(network, n_epochs):
    """An LSTM reads them in docs/programs.md too, and a GRU in docs/components.md; test_generator.py trains a transformer."""
    X_train, X_test, y_train, y_test = DIGITS
    model = DeepClassifier(
        network=network,
        input_shape=(8, 8),
        learning_rate=0.01,
        batch_size=64,
        max_epochs=n_epochs,
        tol=None,
        random_state=0,
    )
    assert make_pipeline(MinMaxScaler(), model).fit(X_train, y_train).score(X_test, y_test) > 0.93


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fields_are_parameters_of_the_estimator():
    model = DeepClassifier(network="lstm", max_epochs=1, tol=None).set_params(network__units=4, network__mask_value=0.0)
    assert model.get_params()["network__units"] == 4
    assert model.fit(X, np.arange(6) % 2).params_["LSTM_0"]["hi"]["kernel"].shape == (4, 4)


@parametrize_with_component_checks([Sequential((Embedding(8, 4, mask_token=0), layers.GRU(4)))])
def test_contract_of_a_network_of_masked_tokens(component, check):
    check(component)


# Outputs per step.


@pytest.mark.parametrize(
    "network",
    [campaign(LSTM(8)), LSTM(4, n_layers=2), campaign(GRU(8)), TCN((8, 8, 4)), Transformer(1, 8, 2, 0.0)],
    ids=str,
)
def test_causal_outputs_depend_on_the_same_and_earlier_steps_only(network):
    module = network.build_causal(X.shape[1:], 2)
    arguments = {"row_mask": None} if isinstance(network, LSTM | GRU) else {}
    apply = jax.jit(functools.partial(module.apply, train=False, **arguments))
    variables = jax.jit(functools.partial(module.init, train=False, **arguments))(jax.random.key(0), X)
    output = np.asarray(apply(variables, X))
    assert output.shape == (6, 5, 2)
    for step in range(5):
        changed = np.asarray(apply(variables, np.concatenate([X[:, :step], X[:, step:] + 1], axis=1)))
        close(changed[:, :step], output[:, :step])
        assert np.abs(changed[:, step] - output[:, step]).max() > 1e-3


@pytest.mark.parametrize("network", [LSTM(8), GRU(4, n_layers=2), TCN((8, 4)), Transformer(1, 8, 2, 0.0)], ids=str)
def test_causal_form_has_the_same_parameters(network):
    arguments = {"row_mask": None} if isinstance(network, LSTM | GRU) else {}
    forms = [
        jax.eval_shape(functools.partial(build(X.shape[1:], 2).init, train=False, **arguments), jax.random.key(0), X)
        for build in (network.build, network.build_causal)
    ]
    assert shapes(forms[0]["params"]) == shapes(forms[1]["params"])


@pytest.mark.parametrize("network", [LSTM(8), campaign(GRU(8)), TCN((8, 4))], ids=str)
def test_last_step_of_the_causal_form_equals_the_ordinary_output(network):
    arguments = {"row_mask": None} if isinstance(network, LSTM | GRU) else {}

    @jax.jit
    def run(x):
        variables = network.build(x.shape[1:], 2).init(jax.random.key(0), x, train=False, **arguments)
        return [
            build(x.shape[1:], 2).apply(variables, x, train=False, **arguments)
            for build in (network.build, network.build_causal)
        ]

    one, each = run(X)
    close(np.asarray(each)[:, -1], one)


@pytest.mark.parametrize(
    "network",
    [
        campaign(LSTM(4)),
        campaign(TCN((4,))),
        Transformer(1, 8, 2),
        campaign(["gru"]),
        [PositionalEncoding("learned"), ("rnn", {"units": 3})],
    ],
    ids=["lstm", "tcn", "transformer", "gru", "learned positions"],
)
def test_fits_in_float32_if_jax_has_x64_enabled(network):
    model = DeepRegressor(network=network, input_shape=(5, 3), max_epochs=1, tol=None, random_state=0)
    with jax.enable_x64(True):
        model.fit(X.reshape(6, 15), X[:, 0, 0])
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params_)} == {np.dtype(np.float32)}
