"""The lines that every end of the matrix reads and prints; doc.go describes them."""

import base64
import json
import sys


def read():
    return [json.loads(line) for line in sys.stdin]


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def show(topic, partition, offset, timestamp, appended, key, value, headers):
    print(json.dumps({
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "timestampType": "append" if appended else "create",
        "key": encode(key),
        "value": encode(value),
        "headers": [[name, encode(data)] for name, data in headers],
    }))
