# Names that disagree: of the address, of the question to the resolver, of the ClientHello, of the request.


@attack
def a_name_that_is_not_allowed_at_the_attackers_address():
    return tls(EVIL, hello("evil.test"))


@attack
def an_allowed_name_at_the_attackers_address():
    return https("allowed.test", request("allowed.test", "/at-the-attackers"), host=EVIL)


@attack
def the_attackers_name_on_a_connection_to_an_allowed_name():
    return tls("allowed.test", hello("evil.test"))


@attack
def another_allowed_name_on_a_connection_to_an_allowed_name():
    return tls("allowed.test", hello("other.test"), 8443)


@attack
def the_name_of_a_secret_on_a_connection_to_a_name_at_the_same_address():
    return tls("allowed.test", hello("inject.test"))


@attack
def an_allowed_name_on_a_connection_to_the_name_of_a_secret():
    return tls("inject.test", hello("allowed.test"))


@attack
def no_server_name_on_a_connection_to_an_allowed_name():
    return tls("allowed.test", hello(None))


@attack
def no_server_name_on_a_connection_to_the_name_of_a_secret():
    return tls("inject.test", hello(None))


@attack
def no_server_name_at_the_attackers_address():
    return tls(EVIL, hello(None), 8443)


@attack
def an_address_as_server_name():
    return tls(EVIL, hello(EVIL), 9443)


@attack
def the_attackers_name_in_upper_case():
    return tls("other.test", hello("EVIL.TEST"))


@attack
def the_attackers_name_with_a_dot_at_its_end():
    return tls("other.test", hello("evil.test."), 8443)


@attack
def an_allowed_name_before_the_attackers():
    return tls(EVIL, hello("allowed.test.evil.test"))


@attack
def an_allowed_name_at_the_end_of_the_attackers():
    return tls(EVIL, hello("evilallowed.test"))


@attack
def a_name_below_an_allowed_one_that_is_no_wildcard():
    return tls(EVIL, hello("sub.allowed.test"))


@attack
def the_apex_of_a_wildcard():
    return tls(EVIL, hello("wild.test"))


@attack
def a_name_that_only_ends_like_a_wildcard():
    return tls(EVIL, hello("evilwild.test"))


@attack
def the_wildcard_itself_as_server_name():
    return tls(EVIL, hello("*.wild.test"), 4431)


@attack
def a_nul_after_an_allowed_name():
    return tls("allowed.test", hello(b"allowed.test\0.evil.test"), 4432)


@attack
def a_letter_of_another_alphabet():
    return tls("allowed.test", hello("\u0430llowed.test".encode()), 4433)


@attack
def punycode_that_looks_like_an_allowed_name():
    return tls(EVIL, hello("xn--llowed-3ve.test"))


@attack
def empty_labels_in_an_allowed_name():
    return tls("allowed.test", hello("allowed..test"), 4434)


@attack
def two_server_names_in_one_hello():
    return tls("allowed.test", hello(raw_names=server_names(b"allowed.test", b"evil.test")), 4435)


@attack
def two_extensions_of_server_names():
    return tls("allowed.test", hello(raw_names=server_names(b"allowed.test") + server_names(b"evil.test")), 4436)


@attack
def the_attackers_name_in_pieces_of_one_byte():
    return in_pieces("allowed.test", hello("evil.test"), 1, 4437)


@attack
def the_attackers_name_over_many_records():
    return tls("allowed.test", hello("evil.test", record=5), 4438)


@attack
def a_hello_that_never_ends():
    return tls("allowed.test", hello("allowed.test")[:40], 4439)


@attack
def silence_and_then_the_attackers_name():
    with connect("allowed.test", 8443) as connection:
        time.sleep(0.6)
        connection.sendall(hello("late.evil.test"))
        connection.settimeout(PATIENCE)
        return said(connection.recv(65536))


@attack
def silence_at_the_attackers_address():
    return tcp(EVIL, 22, b"")


@attack
def a_banner_in_place_of_a_hello_at_the_attackers_address():
    return tcp(EVIL, 4440, b"SSH-2.0-evil\r\n")


@attack
def garbage_before_the_hello_at_the_attackers_address():
    return tcp(EVIL, 4441, b"\0\0\0\0" + hello("allowed.test"))


@attack
def an_encrypted_hello_under_the_attackers_outer_name():
    return tls("allowed.test", hello("outer.evil.test", bytes.fromhex("fe0d") + length16(b"\0" * 64)), 4442)


@attack
def early_data_for_the_attackers_name():
    ticket = length16(bytes(32)) + bytes(4)
    psk = bytes.fromhex("0029") + length16(length16(ticket) + length16(b"\x20" + bytes(32)))
    return tls("allowed.test", hello("early.evil.test", bytes.fromhex("002a0000" "002d00020101" "002b0003020304") + psk) + b"\x17\3\3\0\4data", 4443)


@attack
def a_hello_of_ssl_2_at_the_attackers_address():
    return tcp(EVIL, 4444, bytes.fromhex("802e0103010015000000100100800300800700c00600400200800400800000") + bytes(17))


@attack
def a_hello_on_the_port_of_plain_requests():
    return tls("allowed.test", hello("plain.evil.test"), 80)


@attack
def a_plain_request_on_the_port_of_tls():
    return http("allowed.test", request("evil.test"), 443)


@attack
def a_secret_wanted_on_a_port_of_the_attackers_choice():
    # The server's own certificate shows that it is not terminated, and so nothing is injected.
    with secured("inject.test", port=8443) as connection:
        connection.sendall(request("inject.test", "/other-port").encode())
        return said(read_all(connection))


@attack
def mail_to_an_allowed_name():
    return tcp("allowed.test", 25, b"HELO x\r\n")
