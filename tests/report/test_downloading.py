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


def test_a_look_at_many_reports_is_taken_seldom(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reports = Reports(tmp_path)
    read_json = io.read_json

    def slow(path):
        now[0] += 3
        return read_json(path)

    monkeypatch.setattr(io, "read_json", slow)
    io.write_json(tmp_path / "1-a.json", {"bytes": 0, "ends": {"success": 60}})
    first = reports.line()
    assert first.startswith("20 images/s")
    io.write_json(tmp_path / "1-a.json", {"bytes": 0, "ends": {"success": 990}})
    now[0] += 29
    assert reports.line() == first
    now[0] += 2
    assert reports.line().startswith("27 images/s")


def test_a_quick_look_is_taken_every_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reports = Reports(tmp_path)
    io.write_json(tmp_path / "1-a.json", {"bytes": 0, "ends": {"success": 60}})
    now[0] += 1
    assert reports.line().startswith("60 images/s")
    io.write_json(tmp_path / "1-a.json", {"bytes": 0, "ends": {"success": 180}})
    now[0] += 0.9
    assert reports.line().startswith("60 images/s")
    now[0] += 0.1
    assert reports.line().startswith("90 images/s")
    assert reports.line() == "90 images/s  100.0% came  0 MB"
