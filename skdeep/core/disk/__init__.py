"""Compiled programs in a folder of the user, so that another process need not trace and compile them again.

`skdeep/compile_cache.py` decides whether and where, `skdeep/program_folder.py` who may write there and how much. Read the files here
in this order: `entries` (one file), `environment` and `structure` (the keys), `executables` (compiled programs as bytes),
`programs_on_disk` (looks programs up).
"""
