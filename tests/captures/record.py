#!/usr/bin/env python3
"""Stands between a client and a broker and keeps what the client sent.

    tests/captures/record.py --output FILE.requests

Prints the address it listens on, then reads one line with the broker's address; the broker must
advertise the recorder (`--advertise`), so that clients come back here. Nothing is rewritten. At the
end of its input (or SIGTERM) it writes FILE: connection after connection, frames as they were on
the wire (four bytes of length, then the request), see README.md.

What is kept is a choice of at most 100 KiB: of each API and version the first frames that differ
in more than their correlation id, so that rare requests are not lost behind a thousand fetches.
`tests/clients/run --captures DIR` records all suites.
"""
import argparse
import asyncio
import collections
import pathlib
import struct
import sys

TOTAL_MAX = 100 * 1024
FRAME_MAX = 16 * 1024
FRAMES_PER_KIND = 10


class Recorder:
    def __init__(self):
        self.broker = asyncio.get_running_loop().create_future()
        self.connections = []

    async def connected(self, reader, writer):
        host, port = (await self.broker).rsplit(":", 1)
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        sent = bytearray()
        self.connections.append(sent)
        await asyncio.gather(forward(reader, upstream_writer, sent),
                             forward(upstream_reader, writer, None))


async def forward(reader, writer, keep):
    """Bytes from one side to the other until either closes."""
    try:
        while data := await reader.read(65536):
            if keep is not None:
                keep += data
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other side has gone, and this one goes too
    finally:
        writer.close()


def frames_of(sent):
    """The whole frames of one connection; what was cut off at the end is left out."""
    at = 0
    while at + 4 <= len(sent):
        end = at + 4 + struct.unpack_from(">i", sent, at)[0]
        if end > len(sent):
            return
        yield bytes(sent[at:end])
        at = end


def choose(connections):
    """The frames to keep, in their order; the rarest kinds are served first."""
    kinds = collections.defaultdict(list)
    seen = set()
    for place, frame in enumerate(f for sent in connections for f in frames_of(sent)):
        content = frame[:8] + frame[12:]  # without the correlation id
        if len(frame) <= FRAME_MAX and content not in seen:
            seen.add(content)
            kinds[frame[4:8]].append((place, frame))
    chosen, total = [], 0
    for turn in range(FRAMES_PER_KIND):
        for frames in kinds.values():
            if turn < len(frames) and total + len(frames[turn][1]) <= TOTAL_MAX:
                chosen.append(frames[turn])
                total += len(frames[turn][1])
    return [frame for _, frame in sorted(chosen)]


async def record():
    recorder = Recorder()
    server = await asyncio.start_server(recorder.connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    loop = asyncio.get_running_loop()
    address = await loop.run_in_executor(None, sys.stdin.readline)
    recorder.broker.set_result(address.strip())
    await loop.run_in_executor(None, sys.stdin.read)
    return recorder.connections


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, type=pathlib.Path)
    output = parser.parse_args().output
    frames = choose(asyncio.run(record()))
    output.write_bytes(b"".join(frames))
    kinds = {struct.unpack_from(">hh", frame, 4) for frame in frames}
    print(f"{output}: {len(frames)} frames of {len(kinds)} APIs and versions, "
          f"{output.stat().st_size} bytes", file=sys.stderr)


main()
