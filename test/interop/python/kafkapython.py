"""One end of the matrix in kafka-python."""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

import lines


def write(bootstrap, records):
    producers, sent = {}, []
    for record in records:
        codec = record["codec"]
        if codec not in producers:
            producers[codec] = KafkaProducer(
                bootstrap_servers=bootstrap,
                compression_type=None if codec == "none" else codec,
                acks="all",
                linger_ms=50,
            )
        sent.append(producers[codec].send(
            record["topic"],
            partition=record["partition"],
            key=lines.decode(record["key"]),
            value=lines.decode(record["value"]),
            timestamp_ms=record["timestamp"],
            headers=[(name, lines.decode(data)) for name, data in record["headers"]],
        ))
    for producer in producers.values():
        producer.flush(30)
    for one in sent:
        one.get(10)
    for producer in producers.values():
        producer.close()


def read(bootstrap, partitions):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=100)
    wanted = [TopicPartition(p["topic"], p["partition"]) for p in partitions]
    consumer.assign(wanted)
    for partition in wanted:
        consumer.seek(partition, 0)
    left, deadline = sum(p["count"] for p in partitions), time.monotonic() + 30
    while left > 0 and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            for r in records:
                lines.show(r.topic, r.partition, r.offset, r.timestamp, r.timestamp_type == 1, r.key, r.value, r.headers)
                left -= 1
    consumer.close()


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2], lines.read())
