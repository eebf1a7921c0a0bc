"""Peers that mean no good, or die at a bad moment: what they can make the broker hold or do."""
import os
import resource
import socket
import struct
import threading
import time

import records
from broker import ERRORS, Broker, Closed


def reset(client):
    """Dies without a word: whatever is under way on its connection has nobody left to answer."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_the_end_in_the_middle_of_produce():
    """SIGTERM while records are written out, in both modes."""
    for ephemeral in (True, False):
        with Broker("--cores", "2", ephemeral=ephemeral) as broker:
            clients = [broker.connect() for _ in range(3)]
            clients[0].create("t", 8)
            raw = records.batch([os.urandom(200000)])
            for client in clients:
                for _ in range(8):
                    client.send("Produce", 9, **client.produce_body("t", {i: raw for i in range(8)}))
            clients[0].receive()
            assert broker.stop() == 0
            for client in clients:
                client.close()
