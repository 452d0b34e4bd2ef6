import re
from dataclasses import replace

import pytest
import yaml

from curation.report.card.facts import gather
from curation.report.card.markdown import escaped, header, markdown, size_category
from curation.report.tables import Run
from tests.report.card.runs import CLOSING, IMAGE, SCRIPT


@pytest.fixture(scope="module")
def text(content):
    return markdown(content)


def read_header(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_header_is_what_hugging_face_reads(text):
    assert text.startswith("---\n")
    found = read_header(text)
    assert found["language"] == ["en", "de"]
    assert found["multilinguality"] == ["multilingual"]
    assert found["license"] == "unknown"
    assert found["size_categories"] == ["n<1K"]
    assert "image-to-text" in found["task_categories"]
    files = {"split": "train", "path": "work/shards/[0-9]*.tar"}
    assert found["configs"] == [{"config_name": "default", "data_files": [files]}]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        (
            "https://x.example/l",
            {"license": "other", "license_name": "other", "license_link": "https://x.example/l"},
        ),
        ("As you like", {"license": "other", "license_name": "other"}),
    ],
)
def test_licence(work, licence, expected):
    found = header(gather(Run.open(str(work)), {"licence": licence}, work.parent))
    assert {name: value for name, value in found.items() if name.startswith("license")} == expected


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (9_999_999, "1M<n<10M"), (400_000_000, "100M<n<1B"),
     (2_500_000_000, "1B<n<10B"), (10**12, "n>1T")],
)  # fmt: skip
def test_size_categories(samples, expected):
    assert size_category(samples) == expected


@pytest.mark.parametrize("name", ['a: "b" # c', "- x\n---\ny", "\\ud800é", "yes", "{{x}}", "'"])
def test_any_name_gives_a_header(content, name):
    facts = replace(content.facts, name=name)
    assert read_header(markdown(replace(content, facts=facts)))["pretty_name"] == name


def test_words_of_others_are_escaped(text):
    body = re.sub(r"^    .*$", "", text.split("---\n", 2)[2], flags=re.MULTILINE)  # without blocks of code
    assert SCRIPT not in body
    assert IMAGE not in body
    assert CLOSING not in body
    assert not re.search(r"(?<!\\)<", body)
    assert "\u202e" not in body
    assert escaped("[a](http://x) | `b` *c* <d> @e") == (
        r"\[a\]\(http\:\/\/x\) \| \`b\` \*c\* \<d\> \@e".replace(r"\:\/\/", r"\://"))  # fmt: skip


def test_it_says_what_the_page_says(text):
    for words in ("## From the web to the data set", "| balance | 900 | 200 | 22% | not\\_drawn 700 |",
                  "72 images with 150 texts", "*For the author to answer (funding).*", "## Licences",
                  "| 1 | cat | en | 400 | 80 |", "| seed | 7 |"):  # fmt: skip
        assert words in text


def test_tables_are_whole(text):
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1
