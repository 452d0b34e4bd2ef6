from curation import io
from curation.report.downloading import Reports


def test_what_tasks_say_becomes_a_line(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reports = Reports(tmp_path)
    assert reports.line() == ""
    io.write_json(tmp_path / "1-a.json", {"bytes": 3_000_000, "ends": {"success": 60, "timeout": 20}})
    ends = {"success": 90, "not_found": 25, "timeout": 4, "forbidden": 1}
    io.write_json(tmp_path / "2-b.json", {"bytes": 2_000_000, "ends": ends})
    (tmp_path / "3-c.json").write_text("{half")
    now[0] += 10
    assert reports.line() == "20 images/s  75.0% came  5 MB  not_found 12.5%  timeout 12.0%"
