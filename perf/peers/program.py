"""A server that can be started on a directory and asked whether it serves: a peer's or Millrace."""
import os
import shutil
import signal
import socket
import struct
import time

import harness

START_SECONDS = 60


class Program:
    """`command(directory, port)` is what runs it in the foreground; `prepare(directory, port)` what
    has to be there before, such as a formatted directory. `probe` is (what to send, a function of
    the answer that says whether it serves)."""

    def __init__(self, name, command, probe, variables=None, prepare=None):
        self.name, self.command, self.probe = name, command, probe
        self.variables = variables or {}
        self.prepare = prepare

    def serve(self):
        """A running server, to be closed by its context."""
        port = free_port()
        prepare = self.prepare and (lambda directory: self.prepare(directory, port))
        server = harness.Server(self.name, self.command("{directory}", port), self.variables,
                                prepare)
        server.address = f"127.0.0.1:{port}"
        wait_until_serving(self.name, port, self.probe, lambda: server.process.poll() is None)
        return server


class Limit:
    """A program of the measuring kind, which finds its own port."""

    def __init__(self, name, start):
        self.name, self.serve = name, start


def metadata_probe():
    """Metadata version 4 for no topic; a broker serves when it names one."""
    request = struct.pack(">hhih4siB", 3, 4, 1, 4, b"perf", 0, 0)
    request = struct.pack(">i", len(request)) + request

    def serves(answer):
        return len(answer) >= 16 and struct.unpack(">i", answer[12:16])[0] > 0
    return request, serves


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, probe):
    """True when the server gives the answer of one that serves."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.2) as connection:
            connection.settimeout(0.5)
            connection.sendall(probe[0])
            return probe[1](connection.recv(4096))
    except OSError:
        return False


def wait_until_serving(name, port, probe, is_alive):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and is_alive():
        if ask(port, probe):
            return
        time.sleep(0.0002)
    raise SystemExit(f"perf/peers: {name} does not serve")


def spawn(program, directory, port):
    arguments = program.command(str(directory), port)
    nowhere = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawnp(arguments[0], arguments,
                          {**harness.environment(), **program.variables}, file_actions=actions)
    os.close(nowhere)
    return pid


class Running:
    """A process on a directory that outlives it."""

    def __init__(self, program, directory, port):
        self.directory, self.address = directory, f"127.0.0.1:{port}"
        began = time.perf_counter()
        self.pid = spawn(program, directory, port)
        try:
            wait_until_serving(program.name, port, program.probe,
                               lambda: os.waitpid(self.pid, os.WNOHANG)[0] == 0)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        self.start_ms = (time.perf_counter() - began) * 1000

    def stop(self, number=signal.SIGTERM):
        try:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


class Restarts:
    """One directory on which a program is started again and again."""

    def __init__(self, program):
        self.program, self.port = program, free_port()
        self.directory = harness.SCRATCH / f"start-{program.name}-{os.getpid()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        if program.prepare:
            program.prepare(self.directory, self.port)
        self.start().stop()  # what a first start writes is no part of a start

    def start(self):
        return Running(self.program, self.directory, self.port)

    def time_start(self):
        """From exec to the first answer, in ms."""
        running = self.start()
        running.stop()
        return {"value": running.start_ms}

    def time_idle(self, seconds):
        """The MiB that it has resident after a while of idleness."""
        running = self.start()
        time.sleep(seconds)
        resident = harness.resident_mib(running.pid)
        running.stop()
        return {"value": resident}

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def millrace(options):
    return Program("millrace", lambda directory, port: [
        str(options.broker), "serve", "--data", f"{directory}/data", "--listen",
        f"127.0.0.1:{port}", "--io", options.io, "--registry-listen", ""], metadata_probe())
