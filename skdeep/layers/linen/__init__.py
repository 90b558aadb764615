"""The linen modules that layers build.

Their fields are plain: numbers, tuples, functions and builders of other modules, never components. These files import
flax, so components import them inside methods only.
"""
