import gzip
import io
import json

import pytest
from PIL import Image

from curation.demo.pictures import SUBJECTS, Picture, draw
from curation.demo.web import DAMAGES, RARE_NAMES, Web, write_wats
from curation.vocabulary.vocabulary import read_vocabulary

ORIGIN = "http://127.0.0.1:1234"


@pytest.fixture(scope="module")
def web():
    return Web(ORIGIN)


def path_of(web, start):
    return next(link.url for link in web.links if link.url and link.url.startswith(start))


def test_it_is_the_same_every_time(web):
    again = Web(ORIGIN)
    assert again.links == web.links
    path = path_of(web, "/herbarium/")
    assert again.answer(path) == web.answer(path)


def test_every_good_link_has_a_picture_of_the_type_it_says(web):
    paths = {link.url.removeprefix(ORIGIN) for link in web.links if link.url and "data:" not in link.url}
    good = sorted(path for path in paths if path.split("/")[1] in ("pictures", "herbarium"))
    assert len(good) > 800
    for path in good[::25]:
        answer = web.answer(path)
        image = Image.open(io.BytesIO(answer.body))
        assert Image.MIME[image.format] == answer.headers["Content-Type"]
        assert min(image.size) >= 200
    assert web.answer("/nowhere.jpg") is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_linked_and_answered(web, damage):
    path = path_of(web, f"/{damage}/")
    answer = web.answer(path)
    if damage == "missing":
        assert answer is None
    elif damage == "moved":
        assert web.answer(answer.headers["Location"]).body
    else:
        assert answer != web.answer(path_of(web, "/pictures/"))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_pictures_show_their_colour(subject):
    size = (120, 120)
    shown = {
        Image.open(
            io.BytesIO(draw(Picture(subject=subject, colour=colour, ground="white", size=size, format="png")))
        )
        .convert("RGB")
        .resize((1, 1), Image.Resampling.BOX)
        .getpixel((0, 0))
        for colour in ("red", "blue")
    }
    assert len(shown) == 2


def test_a_turned_picture_says_so():
    upright, turned = (
        Image.open(io.BytesIO(draw(Picture(subject="cat", colour="red", ground="blue", turned=turned))))
        for turned in (False, True)
    )
    assert (upright.size, turned.size) == ((400, 300), (300, 400))
    assert turned.getexif()[0x0112] == 6


def test_rare_names_are_entries_of_wordnet(wordnet):
    entries = set(read_vocabulary(str(wordnet)).entries("en").to_pylist())
    assert {name for names in RARE_NAMES.values() for name in names} <= entries


def test_wat_files_are_written_once_and_one_is_cut_off(web, tmp_path):
    paths = write_wats(web, tmp_path)
    assert len(paths) == -(-web.pages // 12)
    stamps = [path.stat().st_mtime_ns for path in paths]
    assert write_wats(web, tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    links = [
        link
        for path in paths[1:-1]
        for line in gzip.decompress(path.read_bytes()).split(b"\r\n")
        if line.startswith(b'{"Envelope"')
        for link in json.loads(line)["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"][
            "HTML-Metadata"
        ]["Links"]
    ]
    assert len(links) == (len(paths) - 2) * 12 * 20
    with pytest.raises(EOFError):
        gzip.decompress(paths[-1].read_bytes())
