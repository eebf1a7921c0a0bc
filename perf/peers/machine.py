"""The ground on which peers are compared: one congestion control for all, memory that the machine
has touched, and what the device and the page cache did meanwhile."""
import ctypes
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000
TCP_CONGESTION = 13
MIB = 1 << 20


def isolate(congestion):
    """A network namespace of our own, whose loopback routes name the congestion control: every
    socket, accepted ones too, then uses it, and nothing of the machine is changed. Without root it
    stays the machine's."""
    if congestion == "machine" or os.geteuid() != 0 or not shutil.which("ip"):
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for route in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "replace", "local", route, "dev", "lo", "table", "local",
                        "proto", "kernel", "scope", "host", "src", "127.0.0.1", "congctl",
                        congestion], check=True)


def congestion_of_accepted():
    """What an accepted socket on the loopback has, as every server here gets it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted = listener.accept()[0]
            with accepted:
                name = accepted.getsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, 16)
    return name.split(b"\0")[0].decode()


class WarmMemory:
    """Leaves almost no memory free: it fills the page cache with a sparse file, so that whoever needs
    a page gets one that the machine has had before.

    In a guest whose host takes free pages back, the first touch of a page costs a page fault of the
    host's, which would be measured as the peer that writes through the page cache."""

    SPARE = 256 * MIB

    def __init__(self, directory, enabled):
        self.file, self.seconds = None, 0.0
        if not enabled:
            return
        path = Path(directory) / f"sparse-{os.getpid()}"
        self.file = open(path, "w+b", buffering=0)
        path.unlink()
        self.file.truncate(1 << 42)
        self.buffer = bytearray(MIB)
        self.floor = 0
        self.refresh()
        self.floor = read_meminfo("MemFree")  # the kernel keeps some, in zones of its own

    def refresh(self):
        """Reads as much more of the file as became free. Holes cost no disk, and older pages of the
        file are the first that the kernel gives up."""
        if not self.file:
            return
        began = time.monotonic()
        wanted = read_meminfo("MemFree") - self.floor - self.SPARE
        while wanted > 0:
            wanted -= self.file.readinto(self.buffer)
        self.seconds += time.monotonic() - began

    def close(self):
        if self.file:
            self.file.close()


def read_meminfo(name):
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def flushes(directory):
    """Flush requests that the device of this directory has completed since boot."""
    device = os.stat(directory).st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    if (place / "partition").exists():
        place = place.parent
    try:
        return int((place / "stat").read_text().split()[15])
    except (OSError, IndexError):
        return 0


def cached_mib(directory):
    """How much of the files below it is in the page cache."""
    files = [str(path) for path in Path(directory).rglob("*") if path.is_file()]
    if not files or not shutil.which("fincore"):
        return 0
    done = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", *files],
                          capture_output=True, text=True)
    return sum(int(line) for line in done.stdout.split() if line.isdigit()) / MIB
