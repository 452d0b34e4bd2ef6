import io
import os
import subprocess
import sys
from collections import Counter
from urllib.parse import urljoin

import pyarrow as pa
import pytest
from PIL import Image

from curation.core.matcher import Matcher
from curation.demo.pictures import COLOURS, SUBJECTS, Picture, draw
from curation.demo.web import DAMAGES, Web, rare_names
from curation.vocabulary.vocabulary import read_vocabulary

ORIGIN = "http://127.0.0.1:1234"


@pytest.fixture(scope="module")
def names(wordnet):
    return rare_names(read_vocabulary(str(wordnet)).entries("en").to_pylist())


@pytest.fixture(scope="module")
def web(names):
    return Web(names)


def opened(**about):
    picture = Picture(**{"subject": "cat", "colour": "red", "ground": "blue", "format": "png", **about})
    return Image.open(io.BytesIO(draw(picture)))


def paths(web):
    return {link.url for link in web.links if link.url and link.url.startswith("/")}


def test_rare_names_can_be_drawn_and_do_not_depend_on_order(names):
    assert set(names) <= SUBJECTS.keys()
    assert 150 < sum(map(len, names.values())) < 300
    assert all(name.endswith(" moth") for name in names["moth"])
    assert rare_names(reversed([name for some in names.values() for name in some])) == names


def test_it_is_the_same_in_another_process(web, wordnet):
    program = """
import sys
from curation.demo.web import Web, rare_names
from curation.vocabulary.vocabulary import read_vocabulary
web = Web(rare_names(read_vocabulary(sys.argv[1]).entries("en").to_pylist()))
sys.stdout.write(repr((web.links, [web.answer(link.url) for link in web.links[::40] if link.url])))
"""
    elsewhere = subprocess.run(
        [sys.executable, "-c", program, wordnet],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert elsewhere.stdout == repr(
        (web.links, [web.answer(link.url) for link in web.links[::40] if link.url])
    )


def test_every_good_link_has_a_picture_of_the_type_it_says(web):
    good = sorted(path for path in paths(web) if path.split("/")[1] in ("pictures", "plates"))
    assert len(good) > 1000
    formats = Counter()
    for path in good[::25]:
        answer = web.answer(path)
        image = Image.open(io.BytesIO(answer.body))
        assert Image.MIME[image.format] == answer.headers["Content-Type"]
        assert min(image.size) >= 200
        formats[image.format] += 1
    assert formats.keys() == {"JPEG", "PNG", "WEBP"}
    assert web.answer("/nowhere.jpg") is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_linked_and_answered(web, damage):
    path = min(path for path in paths(web) if path.startswith(f"/{damage}/"))
    answer = web.answer(path)
    if damage == "missing":
        assert answer is None
    elif damage == "moved":
        assert web.answer(answer.headers["Location"]).body
    elif damage == "loop":
        assert answer.headers["Location"] == path
    elif damage == "cut":
        assert 0 < len(answer.body) < answer.declared_length
    elif damage == "slow":
        assert answer.delay_seconds > 10
    else:
        assert answer.status == (500 if damage == "error" else 200)
        assert answer.headers.get("X-Robots-Tag") == ("noai" if damage == "noai" else None)
        assert bool(answer.body) == (damage in ("page", "noai"))
        assert answer.body.startswith(b"<") == (damage == "page")


def test_pages_link_in_three_ways_and_to_nothing_but_the_server(web):
    pages = web.pages(ORIGIN)
    resolved = Counter(
        urljoin(page.base or page.url, link.url)
        for page in pages
        for link in page.links
        if link.url and not link.url.startswith("data:")
    )
    assert {url.removeprefix(ORIGIN) for url in resolved} == paths(web)
    assert resolved.most_common(1)[0][1] > 2
    assert {(page.url.startswith(ORIGIN), page.base is None) for page in pages} == {
        (True, True),
        (False, True),
        (False, False),
    }


def test_the_head_is_heavy_and_the_tail_is_long(web, wordnet):
    entries = read_vocabulary(str(wordnet)).entries("en")
    texts = sorted({(link.url or "", text) for link in web.links for text in (link.alt, link.title) if text})
    ids = Matcher(entries, boundary="word").match(pa.array([text for _, text in texts]))
    counts = Counter(ids.flatten().to_pylist())
    heavy = {entries[entry].as_py() for entry, _ in counts.most_common(10)}
    assert {"image", "cat", "dog"} <= heavy
    assert sum(count <= 5 for count in counts.values()) > 150


@pytest.mark.parametrize("subject", SUBJECTS)
def test_pictures_show_their_colour(subject):
    shown = {
        opened(subject=subject, colour=colour, ground="white", size=(120, 120))
        .convert("RGB")
        .resize((1, 1), Image.Resampling.BOX)
        .getpixel((0, 0))
        for colour in ("red", "blue")
    }
    assert len(shown) == 2


@pytest.mark.parametrize("size", [(640, 200), (200, 480)])
def test_the_land_below_a_sunset_reaches_the_edges(size):
    image = opened(subject="sunset", colour="green", ground="white", size=size).convert("L")
    assert all(image.getpixel((x, size[1] - 1)) < 150 for x in (0, size[0] - 1))


@pytest.mark.parametrize("ground", COLOURS)
def test_lettering_can_be_read_on_every_ground(ground):
    size = (200, 200)
    bare, lettered = (
        opened(ground=ground, colour=ground, lettering=words, size=size)
        .convert("L")
        .crop((0, 164, *size))
        .getextrema()
        for words in ("", "luna moth")
    )
    assert max(abs(a - b) for a, b in zip(bare, lettered, strict=True)) > 50


def test_a_turned_picture_says_so():
    upright, turned = (opened(format="jpg", turned=turned) for turned in (False, True))
    assert (upright.size, turned.size) == ((400, 300), (300, 400))
    assert turned.getexif()[0x0112] == 6
