"""The linen modules that layers build.

Their fields are numbers, tuples, functions and builders of other modules, never components. These files import Flax, so
components import them inside methods only.
"""
