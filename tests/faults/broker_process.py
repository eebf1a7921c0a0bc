"""A broker that is started, killed and started again: same port, same data directory.

Also finds the Python that has confluent-kafka: suites begin with `use_client_python(__file__)`.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 60


def use_client_python(name):
    """Becomes the Python of the client suites' cache; without one, says so and ends as skipped."""
    if os.environ.get("MILLRACE_CLIENT_PYTHON"):
        return
    done = subprocess.run([ROOT / "tests/clients/run", "--python"], text=True,
                          stdout=subprocess.PIPE)
    python = done.stdout.strip()
    if done.returncode != 0 or not os.access(python, os.X_OK):
        print(f"skip {name}: {python or 'confluent-kafka-python cannot be prepared'}")
        print(f"{name}: 0 passed, 0 failed, 1 skipped")
        sys.exit(0)
    environment = {**os.environ, "MILLRACE_CLIENT_PYTHON": python, "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(python, [python, *sys.argv], environment)


class BrokerProcess:
    def __init__(self, path, directory, options=()):
        self.path, self.options = path, list(options)
        self.directory = pathlib.Path(directory)
        self.address = "127.0.0.1:0"
        self.prefix, self.environment = [], {}  # of the command; in addition to ours
        self.process = None
        self.slowest_ready_ms = 0

    def launch(self):
        """Starts it, and does not wait."""
        self.launched = time.monotonic()
        (self.directory / "ready").unlink(missing_ok=True)
        command = [*self.prefix, self.path, "serve", "--listen", self.address, "--registry-listen", "127.0.0.1:0",
                   "--data", self.directory / "data", "--exit-with-parent", "--ready-file",
                   self.directory / "ready", *self.options]
        with open(self.directory / "log", "a") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log,
                                            env={**os.environ, **self.environment})

    def start(self):
        self.launch()
        self.wait_ready()

    def wait_ready(self):
        """Waits until it serves; raises with its last words when it does not."""
        started = self.launched
        while not (self.directory / "ready").exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}: {self.log()}")
            if time.monotonic() - started > READY_SECONDS:
                raise RuntimeError(f"the broker is not ready after {READY_SECONDS} s: {self.log()}")
            time.sleep(0.002)
        self.slowest_ready_ms = max(self.slowest_ready_ms, (time.monotonic() - started) * 1000)
        self.address = json.loads((self.directory / "ready").read_text())["kafka"][0]

    def kill(self):
        """Kills it with -9; raises when it was dead already, which nobody asked for."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker ended with {self.process.returncode}: {self.log()}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as an operator would."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self):
        return (self.directory / "log").read_text(errors="replace")[-2000:].strip()
