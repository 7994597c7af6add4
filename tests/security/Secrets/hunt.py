"""Looks for needles everywhere inside a sandbox. They come masked, and what is read is masked before it is searched, so that this program itself
holds none of them. Prints, for each place, where they were found and how much was looked at."""
import ctypes, json, os, re, resource, signal, stat, subprocess, sys

MASK = 0x5A
TABLE = bytes(byte ^ MASK for byte in range(256))
PIECE = 4 << 20
# What has not changed since is from the template, which is older than the secrets.
SINCE = float(sys.argv[2])
needles = {name: bytes.fromhex(masked) for name, masked in json.loads(sys.argv[1]).items()}
longest = max(len(needle) for needle in needles.values())
places = {}


def search(place, data, where):
    found, seen = places.setdefault(place, [[], 0])
    masked = data.translate(TABLE)
    found.extend(f"{name} in {where}" for name, needle in needles.items() if needle in masked)
    places[place][1] = seen + len(data)


def search_file(place, path):
    try:
        with open(path, "rb", buffering=0) as file:
            rest = b""
            while piece := file.read(PIECE):
                search(place, rest + piece, path)
                rest = piece[-longest:]
    except OSError:
        pass


def processes():
    return [name for name in os.listdir("/proc") if name.isdigit()]


def environments():
    for process in processes():
        search_file("environments", f"/proc/{process}/environ")
        search_file("environments", f"/proc/{process}/task/{process}/environ")


def command_lines():
    for process in processes():
        for file in ["cmdline", "comm", "status", "maps", "mountinfo", "cgroup", "stack", "wchan"]:
            search_file("command lines", f"/proc/{process}/{file}")


def memory():
    for process in processes():
        try:
            maps = open(f"/proc/{process}/maps").read().splitlines()
            memory = open(f"/proc/{process}/mem", "rb", buffering=0)
        except OSError:
            continue
        for line in maps:
            first, last, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if rights[0] != "r":
                continue
            at, end = int(first, 16), int(last, 16)
            if end - at > 1 << 30:
                continue
            try:
                while at < end:
                    memory.seek(at)
                    search("memory", memory.read(min(PIECE, end - at)), f"process {process} at {line}")
                    at += PIECE - longest if end - at > PIECE else end - at
            except (OSError, ValueError, OverflowError):
                pass


def descriptors():
    for process in processes():
        try:
            open_files = os.listdir(f"/proc/{process}/fd")
        except OSError:
            continue
        for number in open_files:
            path = f"/proc/{process}/fd/{number}"
            try:
                if stat.S_ISREG(os.stat(path).st_mode):
                    search_file("descriptors", path)
            except OSError:
                pass


def files():
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev/pts")]
        for name in names:
            path = os.path.join(folder, name)
            search("files", path.encode(), "a name")
            try:
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and status.st_ctime >= SINCE:
                    search_file("files", path)
                elif os.path.islink(path):
                    search("files", os.readlink(path).encode(), path)
            except OSError:
                pass


def kernel():
    for folder, folders, names in os.walk("/proc"):
        folders[:] = [name for name in folders if not name.isdigit() and name not in ("self", "thread-self")]
        for name in names:
            if name not in ("kmsg", "kcore", "kpagecount", "kpageflags", "kpagecgroup", "trace_pipe"):
                search_file("kernel", os.path.join(folder, name))
    ran = subprocess.run(["dmesg"], capture_output=True)
    search("kernel", ran.stdout, "dmesg")


def core_dumps():
    # Whatever the limits and the pattern let a crash leave behind, of a process of the tenant's and of the guest.
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        pass
    os.makedirs("/tmp/crash", exist_ok=True)
    crashed = subprocess.run(["sh", "-c", "ulimit -c unlimited 2> /dev/null; cd /tmp/crash; kill -SEGV $$"])
    search("core dumps", f"a shell ended with {crashed.returncode}".encode(), "the crash")
    for folder in ["/tmp/crash", "/workspace", "/var/crash", "/var/lib/systemd/coredump", "/var/lib/apport", "/cores"]:
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            search_file("core dumps", os.path.join(folder, name))
    search_file("core dumps", "/proc/sys/kernel/core_pattern")


for look in [environments, command_lines, memory, descriptors, files, kernel, core_dumps]:
    look()
print(json.dumps({place: {"found": sorted(set(found)), "bytes": seen} for place, (found, seen) in places.items()}))
