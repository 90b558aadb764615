"""Sphinx's settings. `python -m docs` builds the site; `docs/staging.py` collects the pages."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import skdeep
from docs.sphinx_hooks import fashion_mnist_is_installed

project = "skdeep"
author = "the developers of skdeep"
copyright = author
version = release = skdeep.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "docs.sphinx_hooks",
]
nitpicky = True
toc_object_entries_show_parents = "hide"
default_role = "code"
exclude_patterns = [
    "gallery/**/*.ipynb",
    "gallery/**/*.json",
    "gallery/**/*.zip",
    "gallery/**/*.py",
    "api/backreferences/*",
]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_generate = False  # docs/api.py writes the pages
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": [str(Path(__file__).parent / "examples")],
    "gallery_dirs": ["gallery"],
    "within_subsection_order": "docs.sphinx_hooks.place_in_gallery",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skdeep",),
    "ignore_pattern": r"__init__\.py",
    "filename_pattern": r"plot_" if fashion_mnist_is_installed() else r"plot_(?!fashion)",
    "abort_on_example_error": False,
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "image_srcset": ["2x"],
    "min_reported_time": 3600,
    "remove_config_comments": True,
    "show_signature": False,
    "thumbnail_size": (480, 300),
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skdeep"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_favicon = str(Path(__file__).parent / "static" / "favicon.svg")
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {
        "image_light": "_static/logo-light.svg",
        "image_dark": "_static/logo-dark.svg",
        "alt_text": "skdeep - home",
    },
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "changelog": [], "migration": []}

warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown.*")
