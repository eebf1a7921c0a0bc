"""What the runners of measurements share: programs under test and their figures from /proc, the
measuring programs, turns, and tables."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/release/perf"
SCRATCH = ROOT / "build/perf"
MIB = 1 << 20


class Server:
    """A process with a directory of its own; stopped and cleaned at the end, and killed when this
    process is. `{directory}` in an argument stands for that directory; `prepare` gets it first."""

    def __init__(self, name, arguments, variables=None, prepare=None):
        self.name = name
        self.directory = SCRATCH / f"{name}-{os.getpid()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        if prepare:
            prepare(self.directory)
        self.output = open(self.directory / "output", "wb")
        place = {"directory": str(self.directory)}
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *(part.format(**place) for part in arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.output,
            env={**environment(), **(variables or {})})
        self.address = None

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        return (self.directory / "output").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.output.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}


def bare(mode):
    server = Server(f"bare-{mode}", [str(PROGRAMS / "bare_journal"), "--directory", "{directory}",
                                     "--mode", mode])
    return with_printed_port(server)


def null_broker(record):
    return with_printed_port(Server("null", [str(PROGRAMS / "null_broker"), "--record", str(record),
                                             "--batch", "1000000"]))


def with_printed_port(server):
    line = server.process.stdout.readline()
    if not line:
        raise SystemExit(f"perf: {server.name} did not start")
    server.address = f"127.0.0.1:{json.loads(line)['port']}"
    return server


def broker(options, *more, name="broker", data="{directory}/data"):
    server = Server(name, [str(options.broker), "serve", "--data", str(data), "--listen",
                           "127.0.0.1:0", "--io", options.io, "--registry-listen", "",
                           "--ready-file", "{directory}/ready", *more])
    ready = server.directory / "ready"
    for _ in range(6000):
        if ready.exists() and ready.stat().st_size:
            server.address = json.loads(ready.read_text())["kafka"][0]
            return server
        if server.process.poll() is not None:
            break
        time.sleep(0.01)
    raise SystemExit(f"perf: the broker did not start:\n{server.said()}")


class Started:
    """A broker on a directory that outlives it, timed from before the process is made to the line on
    --ready-fd. What it says goes to the file `output`."""

    def __init__(self, options, data, output=os.devnull):
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        nowhere, said = os.open(os.devnull, os.O_RDWR), os.open(output, os.O_CREAT | os.O_TRUNC |
                                                                os.O_WRONLY, 0o600)
        actions = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((nowhere, 0), (said, 1), (said, 2))]
        arguments = [str(options.broker), "serve", "--data", str(data), "--listen", "127.0.0.1:0",
                     "--io", options.io, "--registry-listen", "", "--ready-fd", str(writer),
                     "--exit-with-parent"]
        self.began = time.perf_counter()
        self.pid = os.posix_spawn(options.broker, arguments, environment(), file_actions=actions)
        os.close(writer)
        line = os.read(reader, 4096)
        self.ready_ms = self.elapsed_ms()
        for fd in (reader, nowhere, said):
            os.close(fd)
        if not line:
            self.kill()
            raise SystemExit(f"perf: the broker did not become ready; {output} says why")
        self.address = json.loads(line)["kafka"][0]

    def elapsed_ms(self):
        return (time.perf_counter() - self.began) * 1000

    def kill(self, number=signal.SIGKILL):
        if self.pid:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
        self.pid = None


def run(program, *arguments, seconds=120):
    """What a measuring program prints; a failure ends the whole run."""
    done = subprocess.run([str(PROGRAMS / program), *map(str, arguments)], capture_output=True,
                          text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    if done.returncode and not done.stdout.strip():
        raise SystemExit(f"perf: {program} {' '.join(map(str, arguments))}\n{done.stderr}")
    return done


def call(program, *arguments, seconds=120):
    """One line of JSON from a measuring program; any error ends the whole run."""
    done = run(program, *arguments, seconds=seconds)
    result = json.loads(done.stdout.splitlines()[-1])
    if result.get("errors"):
        raise SystemExit(f"perf: {program}: {result['errors']} errors, the first with code "
                         f"{result['first_error']}\n{done.stderr}")
    return result


def take_turns(runs, sides, measure):
    """Runs of each side: A B, B A, ... so that a neighbour's noise hits all."""
    figures = [[] for _ in sides]
    for turn in range(runs):
        order = list(range(len(sides)))
        for at in order if turn % 2 == 0 else reversed(order):
            time.sleep(0.5)  # what the last one left to write
            figures[at].append(measure(sides[at]))
    return figures


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def read_setting(path):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return "unknown"


def build():
    subprocess.run(["cmake", "--build", str(ROOT / "build/release"), "--target", "perf"], check=True,
                   stdout=subprocess.DEVNULL)


# --- tables ---------------------------------------------------------------------------------------

def number(value):
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def spread(values):
    """min / median / max"""
    values = sorted(values)
    return " / ".join(number(value) for value in (values[0], statistics.median(values), values[-1]))


def print_columns(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
