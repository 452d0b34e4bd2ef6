import re
from pathlib import Path

from rich.console import Console

from curation.record import RunRecord
from curation.report.summary import summarise


def record(job, rows, dropped, fresh=True, **facts):
    return RunRecord(
        job=job, run_id="x", semantics=1, config={}, inputs=[], rows={"in": rows[0], "out": rows[1]},
        dropped=dropped, facts=facts, seconds=1.25, made={}, folder=Path("/data") / job, fresh=fresh,
    )  # fmt: skip


def printed(*records):
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(summarise(records, Path("/data/_log")))
    return capture.get()


EXTRACT = record(
    "extract", (100, 60), {"empty_text": 30, "duplicate": 10}, False,
    files=3, files_with_errors=1, files_truncated=2, faults={"malformed_json": 4},
)  # fmt: skip


def test_the_funnel_names_every_reason_heaviest_first():
    text = printed(EXTRACT, record("match", (60, 20), {"no_match": 40}))
    assert "found in the files" in text
    assert re.search(r"empty_text 30 .*\n +duplicate 10 *\n", text)
    assert "done before" in text
    assert "33.3%" in text
    assert "1.2" in text


def test_what_is_wrong_is_said():
    text = printed(EXTRACT)
    assert "files with errors: 1 of 3" in text
    assert "files cut off: 2 of 3" in text
    assert "malformed_json 4" in text
    empty = record("extract", (0, 0), {}, files=1, files_with_errors=0, files_truncated=0, faults={})
    assert "the pool is empty" in printed(empty)


DOWNLOAD = {
    "images": 30,
    "images_by_status": {"success": 25},
    "errors": {"timeout": 5},
    "duplicates": {"same_bytes": 0, "look_alike": 0},
    "captions_in_evaluation_sets": {},
    "retries": [],
}


def test_what_a_download_should_be_looked_at_for():
    def told(**facts):
        return " ".join(printed(record("download", (60, 50), {"timeout": 10}, **DOWNLOAD | facts)).split())

    text = told()
    assert "5 of 30 images are not there: timeout (5)" in text
    assert not re.search("names|only|duplicates|captions", text)
    assert "the resolver of your workers" in told(errors={"dns_error": 1})
    assert "of 7 images that were fetched again 2 came" in told(retries=[{"count": 7, "successes": 2}])
    assert "only 33% of the images came" in told(images_by_status={"success": 10})
    assert "2 images have the bytes of another one, 3 look like one" in told(
        duplicates={"same_bytes": 2, "look_alike": 3}
    )
    assert "captions of evaluation sets, and stay: cats 1,234" in told(
        captions_in_evaluation_sets={"cats": 1234}
    )


def test_it_says_what_to_do_next():
    assert "python jobs/match.py --pool /data/extract" in printed(EXTRACT)
    assert "python jobs/download.py --curated /data/balance" in printed(record("balance", (1, 1), {}))


def test_what_servers_say_cannot_steer_the_terminal():
    errors = {"HTTP Error 404: \x1b[2J\x1b]0;owned\x07 [bold]no[/]": 1}
    text = printed(record("download", (1, 0), {}, **DOWNLOAD | {"images_by_status": {}, "errors": errors}))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]no[/]" in text
