"""NATS JetStream: the server of one version, built by Go from the module proxy."""
import os
import shutil
import subprocess

from peers.loads import Side
from peers.program import Program

TITLE = "NATS JetStream"
VERSION = "v2.15.2"
MODULE = "github.com/nats-io/nats-server/v2"
PROBE = (b"", lambda answer: answer.startswith(b"INFO ") and b'"jetstream":true' in answer)

# Each mode in the layout that is better for it: with a sync for each message, streams sync side by
# side; without, one stream is cheaper than a hundred. Atomic batches exist in both, but pay only
# where they save syncs.
SYNCED, LAZY = "sync_interval always", "sync_interval 2m"


def find(cache):
    place = cache / f"nats-{VERSION}"
    program = place / "nats-server"
    if not program.exists():
        if not shutil.which("go"):
            raise FileNotFoundError("go is missing")
        subprocess.run(["go", "install", f"{MODULE}@{VERSION}"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env={**os.environ, "GOBIN": str(place)})
    return str(program)


class Peer:
    title = TITLE

    def __init__(self, cache):
        self.path = find(cache)
        self.version = f"nats-server {VERSION}"

    def program(self, mode):
        def configure(directory, port):
            sync = "sync_interval: always" if mode == SYNCED else ""
            (directory / "nats.conf").write_text(
                f"listen: 127.0.0.1:{port}\n"
                f"jetstream {{ store_dir: {directory}/data\n {sync} }}\n")
        return Program("nats-" + mode.split()[-1],
                       lambda directory, port: [self.path, "-c", f"{directory}/nats.conf"],
                       PROBE, prepare=configure)

    def modes(self):
        synced, lazy = self.program(SYNCED), self.program(LAZY)
        yield Side(TITLE, SYNCED, synced, ["--protocol", "nats"], loads=("small",))
        yield Side(TITLE, SYNCED + ", a stream each", synced, ["--protocol", "nats-streams"],
                   loads=("spread",))
        yield Side(TITLE, SYNCED + ", atomic batches", synced, ["--protocol", "nats-atomic"],
                   loads=("wide", "records"))
        yield Side(TITLE, LAZY, lazy, ["--protocol", "nats"],
                   loads=("small", "spread", "wide", "records"))

    def scenarios(self):
        return {}

    def start(self):
        return Side(TITLE, "-", self.program(SYNCED))
