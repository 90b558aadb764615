"""The documentation site: `python -m docs` builds it into `docs/_build/html` and checks its links."""
