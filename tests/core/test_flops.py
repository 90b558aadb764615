"""Floating-point operations of traced functions, against closed forms and XLA's own count."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from skdeep.core.flops import flops_by_scope, operations


def ones(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def total(function, *arguments):
    return sum(flops_by_scope(jax.make_jaxpr(function)(*arguments)).values())


def convolved(x, kernel, strides=(1, 1), padding="VALID", groups=1):
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=layout, feature_group_count=groups)


@jax.custom_vjp
def custom(x):
    return jnp.sin(x) * x


custom.defvjp(lambda x: (custom(x), x), lambda x, g: (g,))

CLOSED_FORMS = {
    "product": (lambda x, w: x @ w, (ones(5, 3), ones(3, 2)), 2 * 5 * 3 * 2),
    "batched product": (
        lambda x, w: jnp.einsum("bij,bjk->bik", x, w),
        (ones(4, 5, 3), ones(4, 3, 2)),
        2 * 4 * 5 * 3 * 2,
    ),
    "convolution": (convolved, (ones(2, 8, 8, 3), ones(3, 3, 3, 7)), 2 * (2 * 6 * 6 * 7) * (3 * 3 * 3)),
    "strides": (
        lambda x, w: convolved(x, w, (2, 2), "SAME"),
        (ones(2, 8, 8, 3), ones(3, 3, 3, 7)),
        2 * (2 * 4 * 4 * 7) * (3 * 3 * 3),
    ),
    "depthwise": (
        lambda x, w: convolved(x, w, groups=6),
        (ones(2, 8, 8, 6), ones(3, 3, 1, 6)),
        2 * (2 * 6 * 6 * 6) * (3 * 3),
    ),
    "elementwise": (lambda x: jnp.tanh(x) + 1, (ones(4, 6),), 2 * 24),
    "reduction": (lambda x: x.sum(axis=1), (ones(4, 6),), 24),
    "scan": (lambda x: lax.scan(lambda h, x: (jnp.tanh(h + x), None), x[0], x)[0], (ones(9, 5),), 9 * 2 * 5),
    "fori_loop": (lambda x: lax.fori_loop(0, 7, lambda i, x: x * x, x), (ones(5),), 7 * 5),
    "nested loops": (
        lambda x: lax.fori_loop(0, 7, lambda i, x: lax.fori_loop(0, 3, lambda j, x: x * x, x), x),
        (ones(5),),
        7 * 3 * 5,
    ),
    "branches": (lambda x: lax.cond(True, lambda x: x, lambda x: x * x * x, x), (ones(5),), 2 * 5),
    "jitted": (jax.jit(lambda x: x * x), (ones(5),), 5),
    "custom derivative": (custom, (ones(5),), 2 * 5),
    "checkpoint": (jax.checkpoint(lambda x: x * x), (ones(5),), 5),
    "moved data": (lambda x: jnp.concatenate([x.T, jnp.zeros((3, 5))]), (ones(5, 3),), 0),
    "integers": (lambda x: x * x + 1, (ones(5, dtype=jnp.int32),), 0),
    "max pooling": (
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        (ones(2, 8, 8, 3),),
        2 * 4 * 4 * 3 * 4,
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name):
    function, arguments, expected = CLOSED_FORMS[name]
    assert total(function, *arguments) == expected


XLA = {
    "dense": (lambda x, w, b: jnp.maximum(x @ w + b, 0), (ones(16, 32), ones(32, 64), ones(1, 64))),
    "convolution": (lambda x, w: jnp.maximum(convolved(x, w), 0), (ones(4, 8, 8, 3), ones(3, 3, 3, 16))),
    "attention": (lambda q, k: jnp.einsum("bqd,bkd->bqk", q, k), (ones(4, 10, 8), ones(4, 10, 8))),
}


@pytest.mark.parametrize("name", XLA)
def test_xla_counts_the_same(name):
    function, arguments = XLA[name]
    counted = jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]
    assert total(function, *arguments) == pytest.approx(counted, rel=0.02)


def test_scopes():
    def function(x):
        with jax.named_scope("outer"):
            x = x * x
            with jax.named_scope("inner"):
                x = lax.fori_loop(0, 3, lambda i, x: x * x, x)
        return x + x

    assert flops_by_scope(jax.make_jaxpr(function)(ones(5))) == {("outer",): 5, ("outer", "inner"): 15, (): 5}


def test_shapes_of_outputs():
    trace = jax.make_jaxpr(lambda x: jnp.tanh(x.reshape(6)))(ones(2, 3))
    assert [operation.shapes for operation in operations(trace)] == [((6,),), ((6,),)]
