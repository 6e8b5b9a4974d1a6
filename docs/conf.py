"""Sphinx configuration: ``sphinx-build -W docs docs/_build`` builds the documentation."""

import logging
import sys
from pathlib import Path

import dnncore

DOCS = Path(__file__).parent
logging.getLogger("dnncore").setLevel(logging.WARNING)  # silence the models in the examples
sys.path.insert(0, str(DOCS / "_ext"))

project = "dnncore"
author = copyright = "The dnncore developers"
version = release = dnncore.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "command_help",
    "mathml",
    "results",
    "since",
]
exclude_patterns = ["_build", "README.md"]
html_theme = "furo"
pygments_dark_style = "github-dark"  # names of modules are not underlined, as links are
html_title = f"dnncore {version}"
html_static_path = ["_static"]
html_css_files = ["dnncore.css"]
html_js_files = ["accessible.js"]
html_show_sphinx = False
html_math_renderer = "mathml"

# ---------------------------------------------------------------------------- Markdown pages

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
# Output blocks are not highlighted.
highlight_language = "none"

# ---------------------------------------------------------------------------------- API pages

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings state the types
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

nitpicky = True
# References to other projects are not resolved: that would require downloading their inventories.
nitpick_ignore_regex = [("py:.*", r"(numpy|scipy|sklearn|matplotlib|torch|river)\..*")]
# Unqualified references between functions of dnncore.modelfile, such as in dnncore.load.
nitpick_ignore = [("py:func", "load"), ("py:func", "save")]

# ----------------------------------------------------------------------------------- examples

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "plot_gallery": "True",
    "capture_repr": (),  # what a cell prints, not the value of its last line
    "abort_on_example_error": True,
    "image_srcset": ["2x"],
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 60,
    "write_computation_times": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}
