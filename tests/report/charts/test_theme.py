import colorsys
import json

import altair as alt
import pytest

from curation.report.charts.theme import config, draw, finish, nothing, use_in_notebook
from tests.report.charts.drawn import svg, words


def bars():
    chart = alt.Chart(alt.InlineData(values=[{"a": "x", "n": 3}])).mark_bar().encode(x="n:Q", y="a:N")
    return finish(chart, title="Title", says="What it says.", description="For those who do not see it.")


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_everything_stands_out_from_its_paper(dark):
    look = config(dark=dark)
    paper = look["background"]
    assert (luminance(paper) < 0.1) == dark
    for colour in [
        *look["range"]["category"],
        look["style"]["threshold"]["color"],
        look["axis"]["labelColor"],
    ]:
        assert contrast(colour, paper) >= 3
    assert contrast(look["text"]["color"], paper) >= 7
    assert look["mark"]["color"] == look["range"]["category"][0]


@pytest.mark.parametrize("dark", [False, True])
def test_the_first_series_differ_in_hue_and_in_lightness_or_both_from_each_other(dark):
    series = config(dark=dark)["range"]["category"]
    hues = [colorsys.rgb_to_hsv(*(int(c[n : n + 2], 16) for n in (1, 3, 5)))[0] for c in series[:4]]
    assert len({round(hue * 10) for hue in hues}) == 4


def test_a_chart_has_no_colours_of_its_own_and_takes_the_width_it_is_given():
    spec = bars().to_dict()
    assert spec["width"] == "container"
    assert spec["description"] == "For those who do not see it."
    assert "#" not in json.dumps(
        {name: value for name, value in spec.items() if name not in ("config", "$schema")}
    )


def test_light_and_dark_are_one_chart_drawn_twice():
    light, dark = svg(bars()), svg(bars(), dark=True)
    assert config()["mark"]["color"] in light
    assert config(dark=True)["mark"]["color"] in dark
    assert config()["mark"]["color"] not in dark
    assert "What it says." in light
    assert draw(bars()).startswith(b"\x89PNG")
    assert len(draw(bars(), scale=3)) > len(draw(bars(), scale=1))


def test_titles_are_broken_for_a_phone():
    chart = finish(bars(), title="a title of words " * 5, says="says of words " * 20, description="d")
    title = chart.to_dict()["title"]
    assert max(map(len, title["text"])) <= 36
    assert max(map(len, title["subtitle"])) <= 48


def test_nothing_says_why():
    assert "because" in svg(nothing("Title", "Nothing, because."))
    assert "Nothing, because." in words(nothing("Title", "Nothing, because."))


@pytest.fixture
def altair_as_it_was():
    theme, renderer = alt.theme.active, alt.renderers.active
    yield
    alt.theme.enable(theme)
    alt.renderers.enable(renderer)


def test_in_a_notebook_charts_are_pictures(altair_as_it_was):
    use_in_notebook()
    bundle = bars()._repr_mimebundle_()
    assert "image/png" in str(bundle)
    assert bars().to_dict()["config"]["view"]["continuousWidth"] == 640
    use_in_notebook(renderer="html", dark=True)
    assert "text/html" in bars()._repr_mimebundle_()
    assert bars().to_dict()["config"]["background"] == config(dark=True)["background"]
