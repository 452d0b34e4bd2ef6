from curation.crawl.language import identify


def test_languages_and_scores_come_in_the_order_of_the_texts() -> None:
    texts = [
        "A photograph of two dogs on the beach",
        "Une photographie de deux chiens sur la plage",
        "Zwei Hunde am Strand, fotografiert im Sommer",
        "海滩上两只狗的照片",
        "Фотография двух собак на пляже",
    ]
    languages, scores = identify(texts)
    assert languages == ["en", "fr", "de", "zh", "ru"]
    assert all(0.5 < score <= 1 for score in scores)


def test_any_string_has_a_language() -> None:
    texts = ["", " ", "\n", "two\nlines\r\nof text", "nul \x00 byte", "1234", "🐕", "x" * 5000]
    languages, scores = identify(texts)
    assert len(languages) == len(scores) == len(texts)
    assert all(languages)
    assert all(0 <= score <= 1 for score in scores)


def test_line_ends_do_not_change_the_language() -> None:
    assert identify(["two dogs\non the beach"]) == identify(["two dogs on the beach"])


def test_no_texts() -> None:
    assert identify([]) == ([], [])
