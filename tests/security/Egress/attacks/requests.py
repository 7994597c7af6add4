# Requests in plain HTTP whose host is another, however it is said.


@attack
def a_foreign_host():
    return http("allowed.test", request("evil.test", "/foreign"))


@attack
def the_host_of_a_secret():
    return http("allowed.test", request("inject.test", "/of-a-secret"))


@attack
def another_allowed_host():
    return http("allowed.test", request("other.test", "/other-allowed"))


@attack
def two_hosts():
    return http("allowed.test", "GET /two HTTP/1.1\r\nHost: allowed.test\r\nHost: evil.test\r\n\r\n")


@attack
def no_host():
    return http("allowed.test", "GET /none HTTP/1.1\r\n\r\n")


@attack
def no_host_in_http_1_0():
    return http("allowed.test", "GET /old HTTP/1.0\r\n\r\n")


@attack
def an_address_for_a_host():
    return http("allowed.test", request(EVIL, "/address"))


@attack
def a_target_with_a_foreign_authority():
    return http("allowed.test", request("allowed.test", "http://evil.test/absolute"))


@attack
def an_allowed_target_with_a_foreign_host():
    return http("allowed.test", request("evil.test", "http://allowed.test/absolute-2"))


@attack
def a_tunnel_through_the_server():
    return http("allowed.test", "CONNECT evil.test:443 HTTP/1.1\r\nHost: allowed.test\r\n\r\n")


@attack
def a_trace():
    return http("allowed.test", request("allowed.test", "/trace", method="TRACE"))


@attack
def a_second_request_for_a_foreign_host():
    with connect("allowed.test", 80) as connection:
        connection.sendall(request("allowed.test", "/first").encode())
        first = said(connection.recv(65536))
        connection.sendall(request("evil.test", "/second").encode())
        return first + " " + said(read_all(connection))


@attack
def a_pipelined_request_for_a_foreign_host():
    return http("allowed.test", request("allowed.test", "/piped") + request("evil.test", "/piped-foreign"))


@attack
def a_foreign_port_in_the_host():
    return http("allowed.test", request("allowed.test:8080", "/port"))


@attack
def a_foreign_host_after_a_user():
    return http("allowed.test", request("allowed.test@evil.test", "/user"))


@attack
def a_foreign_host_after_a_port():
    return http("allowed.test", request("allowed.test:80@evil.test", "/user-2"))


@attack
def a_list_of_hosts():
    return http("allowed.test", request("allowed.test, evil.test", "/list"))


@attack
def a_foreign_host_before_a_tab():
    return http("allowed.test", request("evil.test\tallowed.test", "/tab"))


@attack
def a_host_on_two_lines():
    return http("allowed.test", "GET /folded HTTP/1.1\r\nHost:\r\n evil.test\r\n\r\n")


@attack
def a_space_before_the_colon_of_a_second_host():
    return http("allowed.test", "GET /space HTTP/1.1\r\nHost: allowed.test\r\nHost : evil.test\r\n\r\n")


@attack
def a_nul_in_the_host():
    return http("allowed.test", request("allowed.test\0evil.test", "/nul"))


@attack
def a_foreign_host_to_the_attackers_address():
    return http(EVIL, request("evil.test", "/at-evil"))


@attack
def an_allowed_host_to_the_attackers_address():
    return http(EVIL, request("allowed.test", "/by-host"))


@attack
def a_decimal_address_as_host():
    return http(EVIL, request("3405803842", "/decimal"))


@attack
def a_hexadecimal_address_as_host():
    return http(EVIL, request("0xcb.0x0.0x71.0x42", "/hexadecimal"))


@attack
def an_octal_address_as_host():
    return http(EVIL, request("0313.0.0161.0102", "/octal"))


@attack
def a_mapped_address_as_host():
    return http(EVIL, request("[::ffff:203.0.113.66]", "/mapped"))


@attack
def a_method_that_nobody_knows():
    return http("allowed.test", request("evil.test", "/unknown", method="FROB"), 8080)


@attack
def empty_lines_before_a_foreign_request():
    return http("allowed.test", "\r\n\r\n" + request("evil.test", "/empty-lines"), 8080)


@attack
def lines_without_carriage_returns():
    return http("allowed.test", "GET /bare HTTP/1.1\nHost: evil.test\n\n", 8080)


@attack
def a_request_after_the_server_has_spoken():
    with connect("allowed.test", 22) as connection:
        connection.recv(9)
        connection.sendall(request("evil.test", "/late").encode())
        return said(read_all(connection))


@attack
def an_upgrade_to_http_2():
    return http("allowed.test", request("allowed.test", "/upgrade-h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))


@attack
def an_upgrade_to_a_protocol_of_the_attackers():
    return http("allowed.test", request("allowed.test", "/upgrade-own", "Connection: Upgrade\r\nUpgrade: tunnel/1\r\n"))


@attack
def an_upgrade_to_streams_of_another_kind():
    return http("allowed.test", request("allowed.test", "/upgrade-spdy", "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"))


@attack
def an_upgrade_to_several_protocols():
    return http("allowed.test", request("allowed.test", "/upgrade-many", "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"))


@attack
def an_upgrade_to_tls():
    return http("allowed.test", request("allowed.test", "/upgrade-tls", "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"))


@attack
def streams_of_http_2_for_foreign_hosts():
    with connect("allowed.test", 80) as connection:
        return http2(connection, headers(1, fields("evil.test", "/h2-1", "http")), headers(3, fields("inject.test", "/h2-2", "http")))


@attack
def a_tunnel_of_http_2():
    with connect("allowed.test", 80) as connection:
        return http2(connection, headers(1, [(":method", "CONNECT"), (":authority", "evil.test:443")], flags=4))


@attack
def a_secret_wanted_in_plain_text():
    return http("inject.test", request("inject.test", "/plain"))
