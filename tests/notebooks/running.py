"""Notebooks run as scripts in this process, quickly; what they would display is kept."""

import io
import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from unittest import mock

import altair as alt

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


def run_notebook(path: Path, work: Path) -> tuple[str, list]:
    """What a notebook printed, and what it displayed, of a run."""
    shown: list = []
    display = ModuleType("IPython.display")
    display.display = lambda *things: shown.extend(things)
    # Not by patch.dict, which would also forget what the notebook imports: some of it loads only once.
    stubs = {"IPython": ModuleType("IPython"), "IPython.display": display}
    real = {name: sys.modules.get(name) for name in stubs}
    theme, renderer, printed = alt.theme.active, alt.renderers.active, io.StringIO()
    try:
        sys.modules.update(stubs)
        with mock.patch.dict(os.environ, {"WORK": str(work)}), redirect_stdout(printed):
            runpy.run_path(str(path))
    finally:
        for name, module in real.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
        alt.theme.enable(theme)
        alt.renderers.enable(renderer)
    return printed.getvalue(), shown


def titles(shown: list) -> list[str]:
    """What the charts are called."""
    return [" ".join(thing.to_dict()["title"]["text"]) for thing in shown if hasattr(thing, "to_dict")]


def markup(shown: list) -> str:
    """The HTML of what is no chart."""
    return "".join(thing._repr_html_() for thing in shown if not hasattr(thing, "to_dict"))
