"""millrace contract set --lock: subjects that serializers cannot change."""
import json
import socket

from broker import Broker
from registry import Registry
from test_contracts import LOOSE, ORDER, cli, register


def shown(broker, *more, topic="t"):
    return json.loads(cli(broker, "contract", "show", topic, "--json", *more))


def readonly(broker, subject):
    return Registry(broker).call("GET", f"/mode/{subject}") == (200, {"mode": "READONLY"})


def test_lock():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        there = ("-r", broker.ready["schema_registry"])
        client.create("t")
        said = cli(broker, "contract", "set", "t", "-m", "shop.Order", "--lock", *there, status=1)
        assert "the contract is set, but subject \"t-value\" is not locked: Subject 't-value' not found" in said, said
        assert shown(broker, *there)["value"]["locked"] is False
        register(broker, "t-value")
        said = cli(broker, "contract", "set", "t", "-m", "shop.Order", "--lock", *there)
        assert "locked subject t-value" in said, said
        assert readonly(broker, "t-value")
        status, answer = Registry(broker).call("POST", "/subjects/t-value/versions",
                                               {"schemaType": "PROTOBUF", "schema": LOOSE})
        assert (status, answer["error_code"]) == (422, 42205), answer
        assert register(broker, "t-value", ORDER) == 1, "what is there is found"
        assert shown(broker, *there)["value"]["locked"] is True
        assert "locked            yes" in cli(broker, "contract", "show", "t", *there)
        assert "locked" not in shown(broker, *there)["key"]


def test_lock_by_name_and_by_message():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        there = ("-r", broker.ready["schema_registry"])
        client.create("t")
        for subject in ("a/b", "shop.Order", "t-shop.Order", "t-shop.Note"):
            register(broker, subject.replace("/", "%2F"))
        cli(broker, "contract", "set", "t", "--any-message", "-s", "a/b", "--lock", *there)
        assert readonly(broker, "a%2Fb")
        cli(broker, "contract", "set", "t", "--key", "-m", "shop.Order", "--strategy", "record", "--lock", *there)
        assert readonly(broker, "shop.Order")
        cli(broker, "contract", "set", "t", "-m", "shop.Order,shop.Note", "--strategy", "topic-record",
            "--lock", *there)
        assert readonly(broker, "t-shop.Order") and readonly(broker, "t-shop.Note")
        said = cli(broker, "contract", "set", "t", "--any-message", "--strategy", "record", "--lock",
                   *there, status=1)
        assert "nothing says which subjects to lock" in said, said
        assert shown(broker, *there)["value"]["subject.strategy"] == "topic-record", "nothing was set"
        assert "nothing to lock" in cli(broker, "contract", "set", "t", "--level", "off", "--lock", *there, status=1)


def test_no_registry_answers():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = ("-r", f"http://127.0.0.1:{closed.getsockname()[1]}")
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        said = cli(broker, "contract", "set", "t", "-m", "shop.Order", "--lock", *nobody, status=1)
        assert "the contract is set, but subject \"t-value\" is not locked: no registry answers" in said, said
        value = shown(broker, *nobody)["value"]
        assert value["contract"] == "payload" and "locked" not in value, value
