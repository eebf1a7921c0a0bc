"""The registry's REST interface, for wire tests: raw requests, answers with status and error code."""
import http.client
import json
from urllib.parse import quote

from broker import SECONDS

JSON = "application/vnd.schemaregistry.v1+json"


def proto(body, package="p", more=""):
    return f'syntax = "proto3";\npackage {package};\n{more}message M {{ {body} }}'


class Registry:
    """One connection that is kept alive; `Registry(broker)` or with a user agent of its own."""

    def __init__(self, broker, **headers):
        self.address = broker.ready["schema_registry"].removeprefix("http://")
        self.client = http.client.HTTPConnection(self.address, timeout=SECONDS)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def raw(self, method, path, body=None, **headers):
        self.client.request(method, path, body, {**self.headers, **headers})
        answer = self.client.getresponse()
        text = answer.read().decode()
        return answer.status, answer.getheader("Content-Type"), text

    def call(self, method, path, body=None):
        """(status, parsed body); every body is JSON of the registry's type."""
        text = None if body is None else json.dumps(body)
        status, kind, answer = self.raw(method, path, text)
        assert kind == JSON, (status, kind, answer)
        return status, json.loads(answer)

    def done(self, method, path, body=None):
        """The parsed body of a 200."""
        status, answer = self.call(method, path, body)
        assert status == 200, answer
        return answer

    def get(self, path):
        return self.done("GET", path)

    def put(self, path, body):
        return self.done("PUT", path, body)

    def delete(self, path):
        return self.done("DELETE", path)

    def post(self, path, body):
        return self.done("POST", path, body)

    def refused(self, method, path, body=None):
        """(status, error code); the message is never empty."""
        status, answer = self.call(method, path, body)
        assert status >= 400 and answer["message"], answer
        return status, answer["error_code"]

    def register(self, subject, text, **more):
        """The id."""
        return self.post(f"/subjects/{quote(subject, safe='')}/versions",
                         {"schema": text, "schemaType": "PROTOBUF", **more})["id"]
