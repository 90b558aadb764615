"""Files of fitted estimators that hold no code: `save`, `load` and `inspect`.

`model.py` has these three. `encoding.py` turns an estimator's state into JSON and arrays, `container.py` these into bytes, and `files.py`
the bytes into a file. Loading goes the other way; components are looked up in the registry only after all data were checked.
"""
