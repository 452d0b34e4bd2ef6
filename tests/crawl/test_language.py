from curation.crawl.language import Languages

identify = Languages().identify


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


def test_below_the_threshold_a_text_is_in_no_language() -> None:
    texts = ["A photograph of two dogs on the beach", "xq 12"]
    (english, _), scores = Languages(threshold=0.5).identify(texts)
    assert english == "en"
    assert scores[1] < 0.5
    assert Languages(threshold=0.5).identify(texts)[0][1] is None
    assert Languages(threshold=scores[0] + 0.001).identify(texts[:1]) == ([None], [scores[0]])
