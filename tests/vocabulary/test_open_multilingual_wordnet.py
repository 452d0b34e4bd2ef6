import gzip
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.vocabulary.open_multilingual_wordnet import licence, names

TAB = (
    "# Ordnet\tdan\thttps://example.org/dan/\tCC BY 3.0 \n"
    "00001740-n\tdan:lemma\tting\n"
    "00001740-n\tdan:lemma\tfysisk_ting\n"
    "00001740-n\tdan:def\t0\tnoget\n"
    "00001740-n\tdan:exe\t1\ten lemma\n"
    "00002137-n\tdan:lemma\tSt. Bernard\n"
    "00002137-n\tdan:lemma\tting\n"
    "00002137-n\tdan:lemma:root\tt-n-g\n"
    "00003553-v\tdan:lemma\tGAP!\n"
    "00003553-s\tdan:lemma\tPSEUDOGAP!\n"
    "00003554-s\tdan:lemma\t å  være_til \n"
    "00003555-s\tdan:lemma\t\n"
)
WORDS = ["St. Bernard", "fysisk ting", "ting", "å være til"]
XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.0.dtd">
<LexicalResource>
  <Lexicon id="dan" label="Ordnet" language="da" license="CC BY 3.0" url="https://example.org/dan/">
    <LexicalEntry id="w1"><Lemma writtenForm="ting" partOfSpeech="n"/><Form writtenForm="tingene"/>
      <Sense id="s1" synset="dan-00001740-n"/></LexicalEntry>
    <LexicalEntry id="w2"><Lemma writtenForm="fysisk ting" partOfSpeech="n"/></LexicalEntry>
    <LexicalEntry id="w3"><Lemma writtenForm="St. Bernard" partOfSpeech="n"/></LexicalEntry>
    <LexicalEntry id="w4"><Lemma writtenForm="å være_til" partOfSpeech="v"/></LexicalEntry>
    <LexicalEntry id="w5"><Lemma writtenForm="ting" partOfSpeech="v"/></LexicalEntry>
    <Synset id="dan-00001740-n" ili="i1" partOfSpeech="n"><Definition>noget</Definition></Synset>
  </Lexicon>
</LexicalResource>
"""


def write(path: Path, text: str) -> str:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wn-data-dan.tab", TAB),
        ("wn-data-dan.tab.gz", TAB),
        ("wn-data-dan.tab", "\ufeff" + TAB.replace("\n", "\r\n")),
        ("wn-data-dan.tab", TAB.replace("dan:lemma", "lemma")),
        ("dan.xml", XML),
        ("dan.xml.gz", XML),
    ],
)
def test_names_are_the_distinct_words_in_order(name: str, text: str, tmp_path: Path) -> None:
    assert names(write(tmp_path / name, text)) == WORDS


def test_the_licence_is_that_of_the_head(tmp_path: Path) -> None:
    assert licence(write(tmp_path / "a.tab", TAB)) == "Ordnet dan https://example.org/dan/ CC BY 3.0"
    assert licence(write(tmp_path / "a.xml", XML)) == "Ordnet da https://example.org/dan/ CC BY 3.0"
    assert licence(write(tmp_path / "b.tab", TAB.split("\n", 1)[1])) == ""
    assert licence(write(tmp_path / "b.xml", "<LexicalResource/>")) == ""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tab", "", "holds no words"),
        ("a.tab", "# Ordnet\tdan\turl\tCC BY\n", "holds no words"),
        ("a.tab", "00001740-n\tdan:lemma\tGAP!\n00001740-n\tdan:def\t0\tx\n", "holds no words"),
        ("a.tab", "<html>\n", "holds no words"),
        ("a.tab", "00001740-n dan:lemma ting\n", "holds no words"),
        ("a.xml", "<html></html>", "holds no words"),
        ("a.xml", XML[:400], "not XML"),
        ("a.xml", "", "not XML"),
    ],
)
def test_a_file_without_words_says_so_in_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(InputError, match=message) as caught:
        names(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_other_faults_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        names(str(tmp_path / "none.tab"))
    (tmp_path / "a.tab").write_bytes("00001740-n\tdan:lemma\tå\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.tab: not UTF-8"):
        names(str(tmp_path / "a.tab"))


@given(words=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))))
def test_both_formats_give_the_same(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("wordnet")
    words = [*words, "ting"]
    tab = "".join(f"00001740-n\tdan:lemma\t{word}\n" for word in words)
    lemmas = "".join(f"<Lemma writtenForm={quoteattr(word)}/>" for word in words if word not in NOT_XML)
    xml = f"<LexicalResource><Lexicon>{lemmas}</Lexicon></LexicalResource>"
    expected = sorted({" ".join(word.replace("_", " ").split()) for word in words} - {""})
    assert names(write(folder / "a.tab", tab)) == expected
    assert names(write(folder / "a.xml", xml)) == expected


NOT_XML = {"\ufffe", "\uffff"}
