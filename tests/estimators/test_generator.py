"""SequenceGenerator: learning, generation, scikit-learn's conventions, and messages for invalid input."""

from __future__ import annotations

import codecs
import contextlib
import functools
import inspect
import io
import itertools
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import skdeep
from skdeep import SequenceGenerator
from skdeep.layers import GRU as GRULayer
from skdeep.layers import Bidirectional
from skdeep.networks import GRU, LSTM, MLP, TCN, Transformer

NAMES = ["anna", "bert", "carla", "dora", "emil", "frida"]
PHRASE = "the quick brown fox jumps over the lazy dog. "
# A causal convolution compiles in a third of the time of a recurrent network.
CONV = [("conv", {"features": 16, "padding": "causal"}), "relu"]
SMALL = {"network": CONV, "embedding_features": 8, "context_length": 8, "learning_rate": 0.02, "tol": None}
SMALL |= {"max_epochs": 3, "random_state": 0}
NETWORKS = [
    pytest.param(GRU(units=8), marks=pytest.mark.campaign),  # of_names is a GRU that learned
    pytest.param(LSTM(units=8, n_layers=2), marks=pytest.mark.campaign),
    TCN(widths=(8, 8)),
    Transformer(features=8, n_heads=2, n_layers=1),
]
LISTS = [
    pytest.param(
        [("gru", {"units": 8, "return_sequences": True}), ("dropout", {"rate": 0.1})], marks=pytest.mark.campaign
    ),
    pytest.param([("conv", {"padding": "causal"})], marks=pytest.mark.campaign),  # as CONV, which other tests train
]


def generator(**params):
    return SequenceGenerator(**SMALL | params)


@pytest.fixture(scope="module")
def of_names():
    return generator(network=GRU(units=16), max_epochs=150).fit(NAMES)


@pytest.fixture(scope="module")
def of_phrase():
    return generator(network=GRU(units=32), max_epochs=200, stride=1).fit([PHRASE * 4])


# Learning and generation.


@pytest.mark.campaign  # another test generates its phrase again too, and docs/programs.md learns a text of Python's
def test_generates_a_text_that_it_was_fitted_on():
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    zen = codecs.decode(this.s, "rot13")[:240]
    # The first tokens of a window have little context, so the training loss is not near 0; with a full context it would be.
    model = generator(
        network=TCN((32,) * 4), context_length=32, stride=2, max_epochs=120, learning_rate=0.01, batch_size=32
    )
    model.fit([zen])
    for start in (0, 100, 160):
        assert model.generate(zen[start : start + 32], 40, temperature=0) == zen[start + 32 : start + 72]
    assert model.perplexity([zen]) < 1.05


def test_greedy_text_continues_beyond_the_context(of_phrase):
    assert of_phrase.generate("jumps over the", 90, temperature=0) == (PHRASE * 4)[34:124]


def test_texts_end_where_those_of_fit_do(of_names):
    drawn = [of_names.generate(n=None, random_state=seed) for seed in range(20)]
    assert np.mean([text in NAMES for text in drawn]) > 0.8
    assert len(set(drawn)) > 2
    assert all(len(text) <= of_names.max_text_length_ for text in drawn)
    assert of_names.generate("car", n=None, temperature=0) == "la"


@pytest.mark.parametrize("n", [1, 256, 257, 600])
def test_n_is_the_number_of_tokens(of_names, n):
    assert len(of_names.generate("a", n, random_state=0)) == n


def test_score_is_the_log_likelihood_that_a_loop_over_tokens_finds(of_names):
    table, params = of_names.params_["embedding"], of_names.params_["network"]
    end, expected, programs = of_names.n_tokens_ - 1, [], {}
    for name in NAMES[:3]:
        ids = [end, *(of_names.vocabulary_[c] for c in name), end]
        for step in range(1, len(ids)):
            module = GRU(units=16).build_causal((step, 8), of_names.n_tokens_)
            apply = programs.setdefault(step, jax.jit(functools.partial(module.apply, train=False, row_mask=None)))
            raw = apply({"params": params}, table[None, np.array(ids[:step])])
            expected.append(log_softmax(np.asarray(raw, float)[0, -1])[ids[step]])
    assert of_names.score(NAMES[:3]) == pytest.approx(np.mean(expected), rel=1e-5)
    assert of_names.perplexity(NAMES[:3]) == pytest.approx(np.exp(-np.mean(expected)), rel=1e-5)


def test_score_reaches_the_entropy_rate_of_a_markov_chain():
    rng = np.random.default_rng(0)
    transition = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1]])
    states = [0]
    for _ in range(6000):
        states.append(int(rng.choice(3, p=transition[states[-1]])))
    model = generator(level="token", max_epochs=20, context_length=16).fit([states[:4000]])
    likelihood = np.mean([np.log(transition[a, b]) for a, b in itertools.pairwise(states[4000:])])
    assert model.score([states[4000:]]) == pytest.approx(likelihood, abs=0.03)


def test_scores_of_long_and_short_texts_add_up_by_tokens(of_phrase):
    texts = [PHRASE, PHRASE[:3], PHRASE * 2]
    n_targets = np.array([len(text) - 1 for text in texts])
    each = np.array([of_phrase.score([text]) for text in texts])
    assert of_phrase.score(texts) == pytest.approx(np.average(each, weights=n_targets), rel=1e-5)
    weight = np.array([1.0, 0.0, 3.0])
    assert of_phrase.score(texts, sample_weight=weight) == pytest.approx(
        np.average(each, weights=n_targets * weight), rel=1e-5
    )


@pytest.mark.parametrize("network", [*NETWORKS, *LISTS, pytest.param("rnn_list", marks=pytest.mark.campaign)], ids=str)
def test_networks_and_lists_of_layers_learn(network):
    if network == "rnn_list":
        network = [("rnn", {"units": 16, "return_sequences": True}), ("transformer_block", {"causal": True})]
    model = generator(network=network, max_epochs=40).fit(NAMES)
    losses = model.history_["train_loss"]
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]
    assert len(model.generate("", 5, random_state=0)) == 5


class OwnLinen(skdeep.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        before = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        return nn.Dense(self.n_outputs)(jnp.concatenate([x, before], axis=-1))


class OwnNNX(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.output = nnx.Linear(in_shape[-1], n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(x)


# SlowInALoop is a linen module too.
@pytest.mark.parametrize("network", [pytest.param(OwnLinen(), marks=pytest.mark.campaign), OwnNNX])
def test_own_modules_learn(network):
    model = generator(network=network, max_epochs=60).fit(NAMES)
    assert model.score(NAMES) > -1.9  # prediction by the frequencies of tokens alone gives -2.5
    assert model.generate("bert", 4, random_state=0)


@jax.custom_vjp
def shifted(x):
    kernel = jnp.ones((2, 1, x.shape[-1]))
    layout = ("NWC", "WIO", "NWC")
    return jax.lax.conv_general_dilated(x, kernel, (1,), [(1, 0)], None, None, layout, feature_group_count=x.shape[-1])


shifted.defvjp(lambda x: (shifted(x), None), lambda _, d: (d,))


class SlowInALoop(skdeep.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(shifted(x))


def test_network_that_is_slow_inside_loops_generates_too():
    model = generator(network=SlowInALoop()).fit(NAMES)
    skdeep.clear_cache()
    assert len(model.generate("a", 3, random_state=0)) == 3
    assert "generate_token" in skdeep.compile_counts()


# The boundaries of texts.


@pytest.mark.parametrize("temperature", [1e-40, 1e25, 1e38, 1e300])
def test_extreme_temperatures_give_as_many_tokens(of_names, temperature):
    assert len(of_names.generate("a", 8, temperature=temperature, random_state=0)) == 8


@pytest.mark.parametrize("scale", [1e-50, 1e40])
def test_the_scale_of_weights_does_not_change_the_score(of_names, scale):
    assert of_names.score(NAMES, sample_weight=np.full(6, scale)) == pytest.approx(of_names.score(NAMES), rel=1e-6)


def test_errors_count_texts_of_weight_zero(of_names):
    with pytest.raises(ValueError, match="Text 1 of X has the token 'q' at position 0"):
        of_names.score(["anna", "qq"], sample_weight=[0, 1])


class AheadOnceTrained(skdeep.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        ahead = nn.Dense(self.n_outputs, kernel_init=nn.initializers.zeros)(x[:, ::-1])
        return nn.Dense(self.n_outputs)(x) + ahead


def test_a_non_causal_network_with_zero_weights_is_found_after_training():
    model = generator(network=AheadOnceTrained())
    with pytest.raises(ValueError, match="depend on later steps too"):
        model.fit(NAMES)
    assert not hasattr(model, "params_")


def test_boundaries_are_learned_for_several_texts_only():
    assert generator(max_epochs=1).fit(NAMES).boundaries_
    single = generator(max_epochs=1).fit([PHRASE])
    assert not single.boundaries_
    assert single.n_tokens_ == len(single.vocabulary_) == len(set(PHRASE))
    assert generator(max_epochs=1, boundaries=True).fit([PHRASE]).n_tokens_ == len(set(PHRASE)) + 1


def test_short_texts_shorten_the_context():
    assert generator(max_epochs=1, context_length=64).fit(["ab", "abcd"]).context_length_ == 8


# Tokens.


def test_tokens_are_words_or_numbers_and_come_back_as_a_list():
    words = [["to", "be"], ["to", "do"], ["not", "to", "be"]]
    model = generator(level="token", max_epochs=100).fit(words)
    assert model.vocabulary_ == {"be": 0, "do": 1, "not": 2, "to": 3}
    assert model.generate(["not"], n=None, temperature=0) == ["to", "be"]
    model.set_params(level="character")
    assert model.generate(["not"], n=None, temperature=0) == ["to", "be"]
    numbers = generator(level="token", max_epochs=60).fit(np.tile([5, 7, 9], (4, 5)))
    assert numbers.generate(np.array([5, 7]), 4, temperature=0) == [9, 5, 7, 9]
    assert {type(token) for token in numbers.vocabulary_} == {int}


def test_vocabulary_allows_tokens_that_are_not_in_x():
    model = generator(vocabulary="abcdefz").fit(["abc", "def"])
    assert model.n_tokens_ == 8
    assert model.score(["fez"]) < 0
    with pytest.raises(ValueError, match="Text 1 of X has the token 'x' at position 1"):
        generator(vocabulary="abc").fit(["abc", "axc"])


# As a scikit-learn estimator.


@pytest.mark.parametrize(
    "name",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_param_validation",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_checks_of_scikit_learn_that_need_no_table(name):
    getattr(estimator_checks, name)("SequenceGenerator", SequenceGenerator())


def test_constraints_cover_exactly_the_constructor():
    parameters = set(inspect.signature(SequenceGenerator).parameters)
    assert set(SequenceGenerator._parameter_constraints) == parameters


def test_fit_changes_no_parameter_and_nothing_but_fitted_attributes():
    model = generator()
    before = model.get_params()
    assert model.fit(NAMES) is model
    assert model.get_params() == before
    public = {name for name in vars(model) if not name.startswith("_")} - set(model.get_params(deep=False))
    assert all(name.endswith("_") for name in public)


def test_fits_are_equal_and_predicting_changes_nothing():
    first, second = generator().fit(NAMES), clone(generator().fit(["ab", "cd"])).fit(NAMES)
    jax.tree.map(np.testing.assert_array_equal, first.params_, second.params_)
    before = pickle.dumps(first)
    first.score(NAMES)
    first.generate("a", 3)
    assert pickle.dumps(first) == before


def test_generation_follows_random_state(of_names):
    assert of_names.generate("a", 30, random_state=1) == of_names.generate("a", 30, random_state=1)
    assert len({of_names.generate("a", 30, temperature=2.0, random_state=seed) for seed in range(4)}) > 1
    rng = np.random.RandomState(0)
    assert of_names.generate("a", 30, 2.0, None, rng) != of_names.generate("a", 30, 2.0, None, rng)


def test_pickle_scores_and_generates_alike(of_names):
    copy = pickle.loads(pickle.dumps(of_names))
    assert copy.score(NAMES) == of_names.score(NAMES)
    assert copy.generate("d", 20, random_state=3) == of_names.generate("d", 20, random_state=3)


def test_search_and_cross_validation_and_pipeline():
    search = GridSearchCV(
        generator(network=TCN((4,)), vocabulary="abcdefghijklmnopqrstuvwxyz"),
        {"network__widths": [(4,)], "learning_rate": [0.01, 0.03]},
        cv=2,
    ).fit(NAMES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.generate("a", 3, random_state=0)
    assert (cross_val_score(search.estimator, pd.Series(NAMES), cv=2) < 0).all()
    lower = make_pipeline(FunctionTransformer(lambda X: [text.lower() for text in X]), generator())
    assert lower.fit([name.upper() for name in NAMES]).score(["ANNA"]) < 0


@pytest.mark.parametrize("texts", [np.array(NAMES), tuple(NAMES), pd.Series(NAMES), iter(NAMES)])
def test_texts_may_be_any_iterable(texts):
    model = generator().fit(texts)
    assert model.score(NAMES) == generator().fit(NAMES).score(NAMES)


def test_weight_of_two_is_a_text_given_twice_and_of_zero_is_none():
    weighted = generator(batch_size=64).fit([*NAMES, "zzz"], sample_weight=[2, 1, 1, 1, 1, 1, 0])
    repeated = generator(batch_size=64).fit([NAMES[0], *NAMES])
    assert weighted.vocabulary_ == repeated.vocabulary_
    jax.tree.map(np.testing.assert_array_equal, weighted.params_, repeated.params_)
    np.testing.assert_allclose(
        weighted.score(NAMES, sample_weight=[2, 1, 1, 1, 1, 1]), weighted.score([NAMES[0], *NAMES]), rtol=1e-5
    )


def test_partial_fit_and_warm_start_continue():
    model = generator(max_epochs=1, vocabulary="abcdefilmnort")
    for _ in range(3):
        model.partial_fit(NAMES)
    assert model.n_iter_ == 3
    whole = generator(max_epochs=3).fit(NAMES)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), model.params_, whole.params_)
    warm = generator(warm_start=True).fit(NAMES)
    loss = warm.history_["train_loss"].iloc[-1]
    assert warm.fit(NAMES[:3]).vocabulary_ == generator().fit(NAMES).vocabulary_
    assert warm.history_["train_loss"].iloc[0] < loss + 0.2


def test_the_first_partial_fit_does_not_shorten_the_context():
    model = generator(vocabulary="abcdefghij")
    model.partial_fit(["ab", "cd"]).partial_fit(["abcdefghij"])
    assert (model.context_length_, model.max_text_length_) == (8, 10)
    warm = generator(warm_start=True, vocabulary="abcdefghij").fit(["ab", "cd"]).fit(["abcdefghij", "j"])
    assert (warm.context_length_, warm.max_text_length_) == (8, 10)
    with pytest.raises(ValueError, match="warm_start=True continues .* but params_/embedding has shape"):
        warm.set_params(boundaries=False).fit(["abc"])


def test_early_stopping_and_given_validation_texts():
    model = generator(early_stopping=True, validation_fraction=0.3, max_epochs=5, boundaries=False).fit([PHRASE * 6])
    assert model.history_["val_loss"].notna().all()
    given = generator(stride=3).fit(NAMES, X_val=["bella"])
    with pytest.raises(ValueError, match="Text 1 of X_val has the token 'x'"):
        generator().fit(NAMES, X_val=["bert", "xaver"])
    assert given.history_["val_loss"].iloc[-1] == pytest.approx(-given.score(["bella"]), rel=1e-4)
    with pytest.raises(ValueError, match="with stride=2 below the context length"):
        generator(early_stopping=True, stride=2).fit([PHRASE])


def test_other_numbers_need_no_new_compile():
    skdeep.clear_cache()
    for changes in ({"learning_rate": 0.01}, {"learning_rate": 0.1, "l2": 0.0}, {"random_state": 3, "max_epochs": 2}):
        model = generator(**{"l2": 0.1} | changes).fit(NAMES)
        for temperature, top_k, n in ((1.0, None, 5), (0.5, 2, 9), (0, 3, 300)):
            model.generate("a", n, temperature=temperature, top_k=top_k)
        model.generate("", None)
        model.score(NAMES)
    counts = skdeep.compile_counts()
    assert {
        name: counts[name].compiles for name in ("train_block", "generate_tokens", "weighted_loss", "look_ahead")
    } == {
        "train_block": 1,
        "generate_tokens": 1,
        "weighted_loss": 1,
        "look_ahead": 1,
    }


# Bad input.


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        ("text", {}, r"X must hold texts, but SequenceGenerator got one string. Give \[text\]."),
        (pd.DataFrame({"text": NAMES}), {}, r"got a table. Give the column of texts, such as X\['text'\]."),
        ([], {}, "X has 0 texts, but SequenceGenerator needs at least 1."),
        ([1, 2], {}, "Text 0 of X is of type int, but SequenceGenerator with level='character' takes strings."),
        (["ab", ["a"]], {}, "Text 1 of X is of type list, .* or set level='token' for sequences of tokens."),
        (["ab"], {"level": "token"}, "Text 0 of X is of type str, .* such as text.split()"),
        ([3], {"level": "token"}, "Text 0 of X is of type int"),
        ([["a", 1]], {"level": "token"}, "The tokens of X must be all strings, or all ints, for SequenceGenerator."),
        ([[["a"], ["b"]]], {"level": "token"}, "The tokens of X must be all strings, or all ints"),
        (["aaa"], {}, "needs at least 2 different tokens to learn the next one. Got 1."),
        (["aaa"], {"vocabulary": "a"}, "needs at least 2 different tokens to learn the next one. Got 1."),
        (["a", "b"], {"boundaries": False}, "There is nothing to predict: .* needs a text of at least 2 tokens"),
        (None, {}, "X must hold texts, but SequenceGenerator got NoneType. Give a list of texts."),
        ({"ab"}, {}, "X must hold texts, but SequenceGenerator got set."),
        ({"ab": 1}, {}, "X must hold texts, but SequenceGenerator got dict."),
        (np.array("abc"), {}, "X must hold texts, but SequenceGenerator got ndarray."),
        (b"text", {}, "got one string"),
        ([None], {}, "Text 0 of X is of type NoneType, but .* takes strings. Give strings.$"),
        ([{"a"}], {"level": "token"}, "Text 0 of X is of type set"),
        ([[1.0, float("nan")]], {"level": "token"}, "The tokens of X must be all strings, or all ints"),
        ([[True, False]], {"level": "token"}, "The tokens of X must be all strings, or all ints"),
        (["ab"], {"vocabulary": ["a", "b", "ab"]}, "The tokens of the vocabulary must be single characters"),
        (["ab"], {"vocabulary": b"ab"}, "The tokens of the vocabulary must be single characters"),
        (["ab"], {"vocabulary": ["a", 1]}, "The tokens of the vocabulary must be all strings, or all ints"),
    ],
)
def test_bad_texts(X, params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        generator(**params).fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"level": "word"}, "The 'level' parameter of SequenceGenerator must be a str among"),
        (
            {"context_length": 0},
            r"The 'context_length' parameter of SequenceGenerator must be an int in the range \[1, inf\)",
        ),
        ({"boundaries": "yes"}, "The 'boundaries' parameter"),
        ({"vocabulary": 3}, "The 'vocabulary' parameter"),
        ({"network": "mlp"}, "The network MLP has no causal form, with outputs at each step of a sequence"),
        ({"network": MLP()}, "Give 'lstm', 'gru', 'tcn', 'transformer', a list of layers that keep the steps"),
        ({"network": GRU(bidirectional=True)}, "GRU with bidirectional=True sees later steps"),
        ({"network": [Bidirectional(GRULayer(units=4, return_sequences=True))]}, "depend on later steps too"),
        ({"network": ["self_attention"]}, "causal=True for attention"),
        ({"network": [("conv", {"features": 4})]}, "padding='causal' for convolutions"),
        ({"network": ["gru"]}, r"takes rows of shape \(time, features\)"),
        ({"network": [("conv", {"padding": "causal", "strides": 2})]}, "must return .* outputs at each step"),
        ({"network": ["batch_norm", ("gru", {"return_sequences": True})]}, "no normalisation over the steps"),
        (
            {"network": GRU(mask_value=0.0)},
            "The 'mask_value' field of GRU must be None where the next token is predicted",
        ),
        ({"stride": 9}, "The 'stride' parameter of SequenceGenerator must be at most context_length=8"),
        ({"loss": "hinge"}, "The loss Hinge gives no probabilities, which SequenceGenerator needs to draw tokens."),
        ({"loss": "squared_error"}, "The loss SquaredError does not serve multiclass targets"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        generator(**params).fit(NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"prompt": "anßa"},
            "The prompt has the token 'ß' at position 2, which SequenceGenerator does not know: it is not among the 13",
        ),
        ({"prompt": ["a"]}, "The prompt is of type list, but SequenceGenerator with level='character' takes strings."),
        ({"prompt": 5}, "The prompt is of type int"),
        ({"n": 0}, r"The 'n' parameter of SequenceGenerator.generate must be an int in \[1, 16777216\] or None. Got 0"),
        ({"n": 2.0}, "The 'n' parameter"),
        ({"n": 2**31}, "The 'n' parameter"),
        ({"temperature": True}, "The 'temperature' parameter"),
        ({"top_k": -1}, "The 'top_k' parameter of SequenceGenerator.generate"),
        (
            {"temperature": -1},
            r"The 'temperature' parameter of SequenceGenerator.generate must be a float in \[0, inf\)",
        ),
        ({"temperature": float("nan")}, "The 'temperature' parameter"),
    ],
)
def test_invalid_arguments_of_generate_raise_and_change_nothing(of_names, arguments, message):
    before = pickle.dumps(of_names)
    with pytest.raises((TypeError, ValueError), match=message):
        of_names.generate(**arguments)
    assert pickle.dumps(of_names) == before


def test_an_iterator_as_vocabulary_is_refused():
    with pytest.raises(ValueError, match="The 'vocabulary' parameter of SequenceGenerator"):
        generator(vocabulary=iter("abc")).fit(["abc"])


def test_loss_of_another_shape_is_explained():
    with pytest.raises(ValueError, match="it must return one value per row"):
        generator(loss=lambda raw, target: raw).fit(NAMES)


def test_without_boundaries_a_prompt_and_a_number_are_needed(of_phrase):
    with pytest.raises(TypeError, match="The prompt is of type int"):
        of_phrase.generate(5)
    for prompt in (None, ""):
        with pytest.raises(
            ValueError, match="needs a prompt of at least one token. Give a prompt, or fit with boundaries=True"
        ):
            of_phrase.generate(prompt)
    with pytest.raises(ValueError, match="did not learn how texts end"):
        of_phrase.generate("the", n=None)


def test_failures_leave_an_earlier_fit_as_it_was(of_names):
    model = clone(of_names).set_params(max_epochs=1).fit(NAMES)
    score = model.score(NAMES)
    with pytest.raises(ValueError, match="There is nothing to predict"):
        model.set_params(boundaries=False).fit(["a", "b"])
    with pytest.raises(ValueError, match="Text 0 of X has the token 'q' at position 0"):
        model.score(["q"])
    with pytest.raises(ValueError, match="boundaries was 'auto' then and is False now"):
        model.partial_fit(NAMES)
    with pytest.raises(ValueError, match="does not know"):
        model.set_params(boundaries="auto").partial_fit(["quit"])
    assert model.score(NAMES) == score
    with pytest.raises(NotFittedError):
        generator().generate("a")
    with pytest.raises(NotFittedError):
        generator().score(NAMES)
