"""What every attacking program begins with. Each attack answers in a word what it came to; nothing here knows what it should."""
import concurrent.futures, errno, json, os, socket, ssl, struct, time

ALLOWED, OTHER, EVIL, LISTED, GATE = "203.0.113.10", "203.0.113.11", "203.0.113.66", "198.51.100.7", "100.64.0.1"
PATIENCE = 10
attacks = {}


def attack(function):
    attacks[function.__name__.replace("_", " ")] = function
    return function


def word_for(problem):
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, socket.gaierror):
        return {socket.EAI_NONAME: "no such name", socket.EAI_AGAIN: "no answer"}.get(problem.errno, f"gaierror {problem.errno}")
    if isinstance(problem, ssl.SSLError):
        return f"tls {problem.reason}"
    if isinstance(problem, OSError):
        return errno.errorcode.get(problem.errno, repr(problem))
    return repr(problem)


def outcome(function):
    try:
        return function()
    except Exception as problem:
        return word_for(problem)


def attack_all():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = {name: pool.submit(outcome, function) for name, function in attacks.items()}
        print(json.dumps({name: result.result() for name, result in results.items()}))


def lookup(name):
    return socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]


def connect(host, port):
    connection = socket.create_connection((host, port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_all(connection, quiet=1.5, begun=lambda data: True):
    """All that comes until the end, or, once an answer has begun, until nothing more has come for a while."""
    connection.settimeout(PATIENCE)
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
            connection.settimeout(quiet if begun(data) else PATIENCE)
    except TimeoutError:
        pass
    return data


def said(data):
    """A TLS alert, a status with the reason in its body, or the bytes."""
    if len(data) >= 7 and data[0] == 21:
        return f"alert {data[6]}"
    if data[:1] == b"\x16":
        return "server hello"
    if data.startswith(b"HTTP/"):
        return " ".join(status_of(answer) for answer in answers_in(data))
    return data.decode("latin-1") if data else "closed"


def answers_in(data):
    """The answers of a connection, by their lengths."""
    while data.startswith(b"HTTP/"):
        head, _, rest = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), len(rest))
        yield head, rest[:length]
        data = rest[length:]


def status_of(answer):
    head, body = answer
    status = head.split(b" ")[1].decode()
    if body.startswith(b"{"):
        return f"{status} {json.loads(body)['code']}"
    return f"{status} {body.decode('latin-1').split(' ')[0]}".strip()


def tcp(host, port, words=b"hello\n"):
    with connect(host, port) as connection:
        if words:
            connection.sendall(words)
        connection.settimeout(PATIENCE)
        try:
            return said(connection.recv(65536))
        except TimeoutError:
            return "silence"


def http(host, request, port=80):
    """What a server, or whoever is in between, answers to the bytes of some requests."""
    with connect(host, port) as connection:
        connection.sendall(request if isinstance(request, bytes) else request.encode("latin-1"))
        return said(read_all(connection))


def request(host, path="/", extra="", method="GET", version="1.1"):
    return f"{method} {path} HTTP/{version}\r\nHost: {host}\r\n{extra}\r\n"


def length16(data):
    return struct.pack(">H", len(data)) + data


def server_names(*names):
    listed = b"".join(b"\0" + length16(name) for name in names)
    return b"\0\0" + length16(length16(listed))


def hello(server_name=None, extensions=b"", record=16000, raw_names=None):
    """A ClientHello (TLS 1.2, two suites) that real servers answer."""
    if raw_names is not None:
        names = raw_names
    else:
        names = b"" if server_name is None else server_names(server_name if isinstance(server_name, bytes) else server_name.encode("latin-1"))
    usual = bytes.fromhex("000a000400020017" "000b00020100" "000d000600040403" "0503" "ff01000100")
    body = b"\3\3" + bytes(32) + b"\0" + bytes.fromhex("0004c02bc02c" "0100") + length16(names + usual + extensions)
    message = b"\1\0" + length16(body)
    return b"".join(b"\x16\3\1" + length16(message[at:at + record]) for at in range(0, len(message), record))


def tls(host, data, port=443):
    return tcp(host, port, data)


def in_pieces(host, data, size, port=443):
    with connect(host, port) as connection:
        for at in range(0, len(data), size):
            connection.sendall(data[at:at + size])
            time.sleep(0.002)
        connection.settimeout(PATIENCE)
        return said(connection.recv(65536))


def secured(name, host=None, port=443, protocols=("http/1.1",)):
    """A handshake that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(connect(host or name, port), server_hostname=name)


def https(name, data, host=None, port=443):
    with secured(name, host, port) as connection:
        connection.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return said(read_all(connection))


# HTTP/2 by hand: frames, and header blocks of literals that are not indexed (RFC 7541, 6.2.2).
def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(stream, fields, flags=5):
    block = b"".join(b"\0" + integer(len(name)) + name + integer(len(value)) + value for name, value in
                     ((n.encode("latin-1"), v.encode("latin-1")) for n, v in fields))
    return frame(1, flags, stream, block)


def integer(value):
    return bytes([value]) if value < 127 else bytes([127, (value - 127) % 128 + 128, (value - 127) // 128]) if value - 127 >= 128 else bytes([127, value - 127])


def fields(authority, path="/", scheme="https", method="GET"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")


def frames_in(data):
    """Kind, stream and payload of each whole frame."""
    while len(data) >= 9 and len(data) >= 9 + (size := struct.unpack(">I", b"\0" + data[:3])[0]):
        yield data[3], struct.unpack(">I", data[5:9])[0] & 0x7fffffff, data[9:9 + size]
        data = data[9 + size:]


def http2(connection, *requests):
    """The end of each stream, in their order: the first bytes of its header block and of its data."""
    connection.sendall(PREFACE + b"".join(requests))
    # Settings and pings are no answer.
    data = read_all(connection, quiet=4, begun=lambda data: any(kind in (0, 1, 3, 7) for kind, _, _ in frames_in(data)))
    ends, body = {}, {}
    for kind, stream, payload in frames_in(data):
        if kind == 0:
            body[stream] = body.get(stream, b"") + payload
        elif kind == 1:
            ends[stream] = "headers"
        elif kind == 3:
            ends[stream] = f"reset {struct.unpack('>I', payload)[0]}"
        elif kind == 7:
            ends[0] = f"goaway {struct.unpack('>I', payload[4:8])[0]}"
    words = []
    for stream in sorted(ends.keys() | body.keys()):
        text = body.get(stream, b"")
        words.append(json.loads(text)["code"] if text.startswith(b"{") else text.decode("latin-1").split(" ")[0] if text else ends[stream])
    return " ".join(word for word in words if word != "goaway 0")
