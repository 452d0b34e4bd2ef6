"""The page in a real browser: a headless Chromium, which Debian has as `chromium`."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from curation.report.card.page import page
from tests.report.card.browser import CHROMIUM, Browser
from tests.report.card.runs import CLOSING, SCRIPT

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install -y chromium")

TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")
SHOWN = (
    "[...document.querySelectorAll('#entry-table tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def card(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "card.html"
    path.write_text(page(content, stem="card", today="2026-03-04"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, card):
    """The card on a desk, in daylight."""
    browser.open(card)
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == [card.as_uri()]
    assert browser.ask("typeof hacked") == "undefined"


def test_all_charts_are_drawn(opened, content):
    names = [figure.name for chapter in content.figures.values() for figure in chapter]
    drawn = opened.ask(
        "[...document.querySelectorAll('[data-chart]')].map(p => [p.dataset.chart, "
        "p.querySelectorAll('svg path, svg rect').length, p.clientWidth, p.querySelector('svg').clientWidth])"
    )
    assert [row[0] for row in drawn] == names
    assert all(marks > 3 and 100 < width <= room for _, marks, room, width in drawn)


def test_hostile_words_do_nothing(opened):
    """In texts, entries, hosts and errors; scrolled to, hovered over, searched for."""
    opened.ask("window.scrollTo(0, document.body.scrollHeight)")
    assert opened.ask("document.querySelectorAll('img:not(.gallery img), iframe, object, embed').length") == 0
    assert opened.ask("document.scripts.length") == 3
    assert SCRIPT in opened.ask("document.body.innerText")
    opened.ask(f"document.querySelector('#search').value = {json.dumps(CLOSING)}")
    opened.ask("document.querySelector('#search').dispatchEvent(new Event('input'))")
    assert [row[1] for row in opened.ask(SHOWN)] == [CLOSING]
    spots = opened.ask(
        "[...document.querySelectorAll('[data-chart=hosts], [data-chart=errors]')].map(p => {"
        "p.scrollIntoView({behavior: 'instant', block: 'center'}); "
        "const r = p.querySelector('.mark-rect path').getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y + r.height / 2]})"
    )
    assert len(spots) == 2
    x, y = spots[-1]
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    opened.wait("document.querySelector('#vg-tooltip-element')?.classList.contains('visible')")
    assert opened.ask("document.querySelectorAll('#vg-tooltip-element img').length") == 0


def test_policy_stops_what_gets_through(browser, card):
    """Were words ever written as markup, they would still not run, nor ask for anything."""
    browser.open(card)
    browser.ask(
        "document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:9/x onerror=hacked=1>')"
    )
    browser.ask(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked=2'}))"
    )
    browser.ask("fetch('http://127.0.0.1:9/').catch(() => 0)")
    refused = [str(said) for said in browser.complaints()]
    assert len([said for said in refused if "Content Security Policy" in said]) >= 4
    assert browser.ask("typeof hacked") == "undefined"
    assert browser.requests() == [card.as_uri()]


def test_search(opened):
    opened.ask("document.querySelector('#search').focus()")
    opened.type("FE")
    assert [row[1] for row in opened.ask(SHOWN)] == ["fern"]
    assert (
        opened.ask("document.querySelector('[role=status]').textContent")
        == "1 to 1 of 1 entries found among 17"
    )
    opened.type("xx")
    assert opened.ask(SHOWN) == []
    assert opened.ask("document.querySelector('[role=status]').textContent").startswith("No entry found")


def test_sorting(opened):
    def sort(column):
        opened.ask(f"document.querySelector('th[data-column={column}] button').click()")
        order = opened.ask(f"document.querySelector('th[data-column={column}]').ariaSort")
        return order, opened.ask(SHOWN)

    order, rows = sort("count")
    assert order == "descending"
    assert [row[2] for row in rows[:3]] == ["400", "360", "320"]
    order, rows = sort("count")
    counts = [int(row[2]) for row in rows]
    assert (order, counts) == ("ascending", sorted(counts))
    order, rows = sort("entry")
    names = [row[1] for row in rows]
    assert (order, names) == ("ascending", sorted(names))
    assert opened.ask("document.querySelectorAll('th[aria-sort]').length") == 1
    order, rows = sort("kept_count")
    assert [row[3] for row in rows[:2]] == ["80", "72"]
    assert rows[0] == ["1", "cat", "400", "80", "0.0250"]


def test_pages_of_the_table(browser, content, tmp_path):
    table = pa.concat_tables([content.entries.table] * 7)
    many = replace(content, entries=replace(content.entries, table=table))
    path = tmp_path / "many.html"
    path.write_text(page(many, stem="card", today="x"), encoding="utf-8")
    browser.open(path)
    status = "document.querySelector('[role=status]').textContent"
    buttons = "[...document.querySelectorAll('.pager button')].map(b => b.disabled)"
    assert (browser.ask(status), browser.ask(buttons)) == ("1 to 50 of 119 entries", [True, False])
    browser.ask("document.querySelectorAll('.pager button')[1].click()")
    browser.ask("document.querySelectorAll('.pager button')[1].click()")
    assert (browser.ask(status), browser.ask(buttons)) == ("101 to 119 of 119 entries", [False, True])
    assert len(browser.ask(SHOWN)) == 19


@pytest.mark.parametrize("width", [390, 320])
def test_no_sideways_scrolling_on_a_phone(browser, card, width):
    browser.open(card, width=width, height=844)
    browser.ask("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert browser.ask("document.documentElement.scrollWidth") == width
    browser.ask("window.scrollTo(500, 0)")
    assert browser.ask("window.scrollX") == 0
    beyond = browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => "
        "!e.closest('.scroll, .skip, svg, #vg-tooltip-element') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 200))"
    )
    assert beyond == []
    assert browser.complaints() == []


def test_words_without_end_are_broken(browser, card):
    browser.open(card, width=390)
    cut = browser.ask(
        "[...document.querySelectorAll('.web')].filter(e => e.checkVisibility() && !e.closest('.scroll') && "
        "getComputedStyle(e).display !== 'inline' && e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 90))"
    )
    assert cut == []
    assert browser.ask(
        "[...document.querySelectorAll('.gallery .web')].some(e => e.textContent.includes('wwwwwwww'))"
    )


COLOURS = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
INK = "getComputedStyle(document.querySelector('[data-chart=ranks] .mark-line path')).stroke"


def test_dark_and_light(browser, card):
    browser.open(card, dark=True)
    assert browser.ask(COLOURS) == ["rgb(20, 23, 27)", "rgb(230, 232, 235)"]
    in_the_dark = browser.ask(INK)
    browser.screen(1280, 900, dark=False)
    browser.wait("document.documentElement.dataset.drawn === 'light'")
    assert browser.ask(COLOURS) == ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    assert browser.ask(INK) != in_the_dark
    assert browser.complaints() == []


CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number)
    .map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const paper = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (!c.startsWith('rgba(0, 0, 0, 0')) return c; }
    return 'rgb(255, 255, 255)'; };
  const low = [];
  for (const e of document.querySelectorAll('body *:not(script):not(svg *)')) {
    if (!e.checkVisibility() || e.closest('button:disabled')) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(paper(e))].sort();
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push([ratio, e.outerHTML.slice(0, 120)]);
  }
  return low;
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_their_paper(browser, card, dark):
    browser.open(card, dark=dark)
    assert browser.ask(CONTRAST) == []


def test_everything_is_reached_by_keyboard(opened):
    """The skip link comes first; then every control in its turn, and each shows that it has the focus."""
    opened.press(*TAB)
    assert opened.ask("document.activeElement.className") == "skip"
    assert opened.ask("document.activeElement.getBoundingClientRect().left") == 0
    opened.press(*ENTER)
    assert opened.ask("location.hash") == "#content"
    reached = set()
    for _ in range(30):
        opened.press(*TAB)
        reached.add(opened.ask("document.activeElement.tagName + ':' + (document.activeElement.type ?? '')"))
        assert opened.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        if opened.ask("document.activeElement.closest('th')?.dataset.column") == "count":
            break
    opened.press(*ENTER)
    assert opened.ask("document.activeElement.closest('th').ariaSort") == "descending"
    assert {"A:", "SUMMARY:", "INPUT:search", "BUTTON:button", "DIV:"} <= reached


def test_names_for_those_who_do_not_see(opened):
    tree = opened.call("Accessibility.getFullAXTree")["nodes"]
    named = {}
    for node in tree:
        if not node.get("ignored"):
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("image", "table", "button", "searchbox", "navigation", "region", "link"):
        assert named.get(role), role
        assert all(named[role]), role
    assert len(named["main"]) == 1


def test_paper(opened):
    """What is folded is unfolded, controls are gone, and it is white."""
    opened.call("Emulation.setEmulatedMedia", media="print",
                features=[{"name": "prefers-color-scheme", "value": "dark"}])  # fmt: skip
    assert opened.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert opened.ask("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert opened.ask(COLOURS) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    opened.ask("dispatchEvent(new Event('beforeprint'))")
    assert opened.ask("[...document.querySelectorAll('details.print')].every(part => part.open)")
    opened.wait("document.documentElement.dataset.drawn === 'print'")
    opened.ask("dispatchEvent(new Event('afterprint'))")
    assert opened.ask("[...document.querySelectorAll('details.print')].some(part => part.open)") is False
    opened.call("Emulation.setEmulatedMedia", media="", features=[])


def test_without_scripts_the_words_are_there(browser, card):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=card.as_uri())
        browser.wait("document.readyState === 'complete' && !!document.querySelector('footer')")
        words = browser.ask("document.body.innerText")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "chameleon" in words
    assert "Charts need JavaScript" in words
    assert "Search entries" not in words
