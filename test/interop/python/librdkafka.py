"""One end of the matrix in confluent-kafka, which is librdkafka."""

import sys
import time

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaException, Producer, TopicPartition

import lines


def write(bootstrap, records):
    failures = []

    def delivered(error, _):
        if error is not None:
            failures.append(error)

    producers = {}
    for record in records:
        codec = record["codec"]
        if codec not in producers:
            producers[codec] = Producer({
                "bootstrap.servers": bootstrap,
                "compression.type": codec,
                "enable.idempotence": True,
                "linger.ms": 50,
                "message.timeout.ms": 20000,
            })
        producers[codec].produce(
            record["topic"],
            partition=record["partition"],
            key=lines.decode(record["key"]),
            value=lines.decode(record["value"]),
            timestamp=record["timestamp"],
            headers=[(name, lines.decode(data)) for name, data in record["headers"]],
            on_delivery=delivered,
        )
    for producer in producers.values():
        left = producer.flush(30)
        if left:
            failures.append(f"{left} records not delivered")
    if failures:
        raise SystemExit(f"{len(failures)} failures, the first: {failures[0]}")


def read(bootstrap, partitions):
    # librdkafka wants the name of a group even where it is never used.
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "matrix",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
    })
    consumer.assign([TopicPartition(p["topic"], p["partition"], 0) for p in partitions])
    left, deadline = sum(p["count"] for p in partitions), time.monotonic() + 30
    while left > 0 and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        kind, timestamp = message.timestamp()
        lines.show(
            message.topic(), message.partition(), message.offset(), timestamp, kind == TIMESTAMP_LOG_APPEND_TIME,
            message.key(), message.value(), message.headers() or [],
        )
        left -= 1
    consumer.close()


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2], lines.read())
