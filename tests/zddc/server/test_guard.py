import pytest

from zddc.server.guard import RefusedError, check_request

HOST = ("host", "a.example")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_passes(method):
    check_request(method, [HOST, ("content-length", "0"), *[("x", "y")] * 98])


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", ""])
def test_another_method_is_told_which_there_are(method):
    with pytest.raises(RefusedError) as refused:
        check_request(method, [HOST, ("content-length", "3")])
    assert refused.value.status == 405
    assert ("allow", "GET, HEAD, OPTIONS") in refused.value.headers


PUTTING = ("GET", "PUT")


def test_what_is_handed_in_has_a_length_told_in_one_way():
    check_request("PUT", [HOST, ("content-length", "3")], methods=PUTTING)
    check_request("PUT", [HOST, ("transfer-encoding", "chunked")], methods=PUTTING)
    for status, fields in (
        (400, [HOST, ("content-length", "3"), ("transfer-encoding", "chunked")]),
        (400, [HOST, ("content-length", "3"), ("content-length", "3")]),
    ):
        with pytest.raises(RefusedError) as refused:
            check_request("PUT", fields, methods=PUTTING)
        assert refused.value.status == status
    with pytest.raises(RefusedError):
        check_request("GET", [HOST, ("content-length", "3")], methods=PUTTING)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, []),
        (400, [("host", "")]),
        (400, [HOST, HOST]),
        (400, [HOST, ("host", "b")]),
        (400, [HOST, ("content-length", "0"), ("content-length", "0")]),
        (400, [HOST, ("authorization", "Bearer a"), ("authorization", "Bearer a")]),
        (400, [HOST, ("content-length", "3")]),
        (400, [HOST, ("content-length", "+0")]),
        (400, [HOST, ("content-length", "00")]),
        (400, [HOST, ("transfer-encoding", "chunked")]),
        (400, [HOST, ("content-length", "0"), ("transfer-encoding", "chunked")]),
        (431, [HOST, *[("x", "y")] * 100]),
        (431, [HOST, ("x", "y" * 16 * 1024)]),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(status, fields):
    with pytest.raises(RefusedError) as refused:
        check_request("GET", fields)
    assert refused.value.status == status


def test_before_http_1_1_a_request_needs_no_host():
    check_request("GET", [], needs_host=False)
