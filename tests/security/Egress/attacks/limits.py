# More than a sandbox may cause. One after another, because each uses up what the others need.
import threading

turn = threading.Lock()


def one_at_a_time(function):
    def alone():
        with turn:
            time.sleep(1)
            return function()
    attacks[function.__name__.replace("_", " ")] = alone
    return function


def try_echo(address, kept):
    try:
        connection = socket.create_connection((address, 5432), PATIENCE)
        kept.append(connection)
        connection.settimeout(PATIENCE)
        connection.sendall(b"hello\n")
        return connection.recv(10) == b"hello\n"
    except OSError:
        return False


@one_at_a_time
def more_connections_than_may_be_open():
    address, kept = lookup("allowed.test"), []
    try:
        good = sum(try_echo(address, kept) for _ in range(90))
        return "bounded" if 40 <= good <= 64 else f"{good} connections"
    finally:
        for connection in kept:
            connection.close()


@one_at_a_time
def more_connections_than_may_be_made_in_a_second():
    address = lookup("allowed.test")

    def try_some(_):
        good = 0
        for _ in range(40):
            kept = []
            good += try_echo(address, kept)
            for connection in kept:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
        return good

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        good = sum(pool.map(try_some, range(16)))
    return "bounded" if good < 640 else f"{good} connections"


@one_at_a_time
def more_questions_than_may_be_asked_in_a_second():
    query = struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + b"\7allowed\4test\0\0\1\0\1"
    refused = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((GATE, 53))
        for _ in range(400):
            client.send(query)
            refused += client.recv(512)[3] & 15 == 5
    return "bounded" if refused else "unbounded"


@one_at_a_time
def others_while_many_are_silent():
    address, kept = lookup("allowed.test"), []
    for _ in range(40):
        kept.append(socket.create_connection((EVIL, 443), PATIENCE))
    began = time.monotonic()
    good, taken = try_echo(address, kept), time.monotonic() - began
    for connection in kept:
        connection.close()
    return "undelayed" if good and taken < 2 else f"{good} after {taken} s"
