import http.client
import time

import pytest

from curation.demo.server import Answer, Server

WEB = {
    "/good": Answer(body=b"hello", headers={"Content-Type": "text/plain"}),
    "/cut": Answer(body=b"hel", declared_length=5),
    "/slow": Answer(body=b"late", delay_seconds=60),
    "/error": Answer(status=500),
}


def get(server, path, timeout=5.0):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_answers_as_told_and_counts():
    with Server(WEB.get) as server:
        assert server.origin == f"http://127.0.0.1:{server.port}"
        assert get(server, "/good") == get(server, "/good") == (200, b"hello")
        assert get(server, "/error") == (500, b"")
        assert get(server, "/nothing") == (404, b"")
        with pytest.raises(http.client.IncompleteRead):
            get(server, "/cut")
        assert server.requests == {"/good": 2, "/error": 1, "/nothing": 1, "/cut": 1}


def test_it_stops_while_answers_are_pending():
    with Server(WEB.get) as server:
        with pytest.raises(TimeoutError):
            get(server, "/slow", timeout=0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    with pytest.raises(ConnectionRefusedError):
        get(server, "/good")


def test_a_taken_port_is_refused():
    with Server(WEB.get) as server, pytest.raises(OSError, match="in use"):
        Server(WEB.get, server.port)
