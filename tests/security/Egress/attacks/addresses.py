# Addresses that no policy opens by itself, in every spelling. Everything public is allowed here.


def at(host, port=5432):
    return tcp(host, port)


def v6(address, port=5432):
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        client.connect((address, port))
        client.sendall(b"hello\n")
        return said(client.recv(100))


@attack
def metadata():
    return http("169.254.169.254", request("169.254.169.254", "/latest/meta-data/"))


@attack
def metadata_under_a_public_name():
    return http("169.254.169.254", request("allowed.test", "/latest/meta-data/"), 8080)


@attack
def metadata_over_tls_under_a_public_name():
    return tls("169.254.169.254", hello("allowed.test"))


@attack
def metadata_in_decimal():
    return at("2852039166", 5001)


@attack
def metadata_in_hexadecimal():
    return at("0xa9fea9fe", 5002)


@attack
def metadata_in_octal():
    return at("0251.0376.0251.0376", 5003)


@attack
def metadata_in_two_parts():
    return at("169.16689662", 5004)


@attack
def metadata_mapped_into_ipv6():
    return v6("::ffff:169.254.169.254", 5005)


@attack
def metadata_of_containers():
    return at("169.254.170.2", 5006)


@attack
def metadata_at_another_cloud():
    return at("100.100.100.200", 5007)


@attack
def metadata_over_ipv6():
    return v6("fd00:ec2::254", 80)


@attack
def a_private_address():
    return at("10.98.0.5")


@attack
def a_private_address_that_the_operator_permits():
    return at("10.99.0.5")


@attack
def a_private_address_of_class_b():
    return at("172.16.77.5")


@attack
def a_private_address_of_class_c():
    return at("192.168.77.5")


@attack
def the_host_itself():
    return at("203.0.113.1")


@attack
def the_secure_shell_of_the_host():
    return at("203.0.113.1", 22)


@attack
def the_gate_on_a_port_of_redis():
    return at(GATE, 6379)


@attack
def the_gate_on_the_port_of_its_listener():
    return at(GATE, 15001)


@attack
def the_gate_on_a_port_of_nobody():
    return at(GATE, 1)


@attack
def a_neighbouring_gate():
    return at("100.64.0.5")


@attack
def a_neighbouring_sandbox():
    return at("100.64.0.6")


@attack
def the_gateway_on_the_loopback():
    return at("127.0.0.1", 8080)


@attack
def the_loopback_by_another_address():
    return at("127.8.8.8", 8081)


@attack
def the_address_of_nobody():
    return at("0.0.0.0", 8082)


@attack
def the_guest_of_the_sandbox():
    return at("100.64.0.2", 7007)


@attack
def a_synthetic_address_of_no_name():
    return at("198.18.77.77", 5008)


@attack
def an_address_for_benchmarks():
    return at("198.19.255.1", 5009)


@attack
def an_address_of_protocols():
    return at("192.0.0.8", 5010)


@attack
def a_relay_to_ipv6():
    return at("192.88.99.1", 5011)


@attack
def a_reserved_address():
    return at("240.0.0.1", 5012)


@attack
def a_multicast_address():
    return at("224.0.0.251", 5013)


@attack
def the_broadcast_address():
    return at("255.255.255.255", 5014)


@attack
def a_public_address_of_ipv6():
    return v6("2001:db8:113::10")


@attack
def a_unique_local_address():
    return v6("fd00:113::5")


@attack
def a_link_local_address():
    return v6("fe80::1%eth0")


@attack
def a_translated_address():
    return v6("64:ff9b::a62:5")


@attack
def a_tunnelled_address():
    return v6("2002:a62:5::1")


@attack
def a_private_address_mapped_into_ipv6():
    return v6("::ffff:10.98.0.5", 5015)


@attack
def a_public_address_on_the_port_of_mail():
    return at(OTHER, 25)


@attack
def a_name_of_a_private_address():
    return lookup("private.test")


@attack
def a_name_of_the_metadata_service():
    return lookup("metadata.test")


@attack
def a_name_of_the_host():
    return lookup("host.test")
