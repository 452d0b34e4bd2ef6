import pyarrow as pa

from curation.core.identity import pair_uid
from curation.schemas import PAIRS
from curation.stages.deduplicate import deduplicate, uid
from tests.stages.conftest import frame

CANDIDATES = pa.schema([field for field in PAIRS if field.name not in ("uid", "seen")])


def candidates(*rows):
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=CANDIDATES)


def test_one_row_of_each_url_and_text_survives_and_is_counted(same_rows):
    rows = same_rows(
        candidates(
            ("u", "a cat", "alt", "http://p/2", "CC-MAIN-2024-10", "en", 0.9, []),
            ("u", "a cat", "title", "http://p/1", "CC-MAIN-2024-10", "en", 0.9, []),
            ("u", "a cat", "alt", "http://p/1", "CC-MAIN-2024-10", "en", 0.9, []),
            ("u", "a cat", "alt", "http://p/0", "CC-MAIN-2024-51", "en", 0.9, []),
            ("u", "a dog", "alt", "http://p/1", "CC-MAIN-2024-10", "en", 0.8, []),
            ("v", "a cat", "alt", "http://p/1", None, None, None, []),
            ("v", "a cat", "alt", "http://p/1", None, None, None, []),
        ),
        deduplicate,
    )
    assert list(rows[0]) == PAIRS.names
    survivors = {
        (r["url"], r["text"]): (r["text_source"], r["page_url"], r["crawl"], r["seen"]) for r in rows
    }
    assert survivors == {
        ("u", "a cat"): ("alt", "http://p/1", "CC-MAIN-2024-10", 4),
        ("u", "a dog"): ("alt", "http://p/1", "CC-MAIN-2024-10", 1),
        ("v", "a cat"): ("alt", "http://p/1", None, 2),
    }


def test_the_uid_in_sql_is_the_uid_in_python(spark):
    table = candidates(
        *(
            (url, text, "alt", "p", None, None, None, [])
            for url in ("ab", "é漢🐱")
            for text in ("c", "кошка 🐱", "a\x00b")
        )
    )
    expected = pair_uid(table["url"].combine_chunks(), table["text"].combine_chunks()).to_pylist()
    rows = frame(spark, table).select("url", "text", uid().alias("uid")).collect()
    ours = {(row["url"], row["text"]): row["uid"] for row in rows}
    assert [
        ours[key] for key in zip(*table.select(["url", "text"]).to_pydict().values(), strict=True)
    ] == expected
