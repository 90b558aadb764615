"""Tables as they come: columns of a data frame, learned in `fit` and encoded to numbers and ids for a network.

`frames.py` reads columns of pandas, polars and pyarrow tables, `columns.py` learns their kinds and levels, `scaling.py` learns the
scale of numbers, and `table.py` joins them. All of it runs in NumPy and pandas, on the host.
"""
