"""Redis Streams: Debian's redis-server, as installed, or unpacked into the cache, because installing
it would start a service."""
import shutil
import subprocess

import harness
from peers.loads import Side
from peers.program import Program

TITLE = "Redis Streams"
LOADS = ("small", "spread", "wide", "records")
PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
MODES = ("always", "everysec", "no")
PROBE = (b"PING\r\n", lambda answer: answer.startswith(b"+PONG"))


def find(cache):
    """The program and the variables that it needs."""
    installed = shutil.which("redis-server")
    if installed:
        return installed, {}
    root = cache / "redis"
    if not (root / "complete").exists():
        root.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=root, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for package in sorted(root.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        (root / "complete").touch()
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-*"))
    return str(root / "usr/bin/redis-server"), {"LD_LIBRARY_PATH": libraries}


class Peer:
    title = TITLE

    def __init__(self, cache):
        self.path, self.variables = find(cache)
        done = subprocess.run([self.path, "--version"], capture_output=True, text=True, check=True,
                              env={**harness.environment(), **self.variables})
        self.version = " ".join(done.stdout.split()[:3])

    def program(self, mode):
        """Defaults, but no snapshots and no rewriting of the append-only file under load: both would
        only slow it down here."""
        return Program(f"redis-{mode}", lambda directory, port: [
            self.path, "--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--save", "",
            "--appendonly", "yes", "--appendfsync", mode, "--auto-aof-rewrite-percentage", "0"],
            PROBE, self.variables)

    def modes(self):
        for mode in MODES:
            yield Side(TITLE, f"appendfsync {mode}", self.program(mode), ["--protocol", "redis"],
                       {"small": 1.2} if mode == "always" else {},
                       LOADS if mode != "no" else ("small",))

    def scenarios(self):
        return {}

    def start(self):
        return Side(TITLE, "-", self.program("always"))
