"""A member of a group, classic unless told otherwise, in confluent-kafka, which is librdkafka."""

import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

import member


def main(bootstrap, topic, group, protocol="classic"):
    of_protocol = {"group.protocol": "consumer"} if protocol == "consumer" else {
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
    }
    consumer = Consumer({
        **of_protocol,
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
    })
    consumer.subscribe(
        [topic],
        on_assign=lambda _, list: member.partitions("partitions_assigned", list),
        on_revoke=lambda _, list: member.partitions("partitions_revoked", list),
        on_lost=lambda _, list: member.partitions("partitions_revoked", list),
    )
    while not member.stopped:
        ends = {}
        for message in consumer.consume(500, timeout=0.1):
            if message.error():
                print(message.error(), file=sys.stderr)
                continue
            member.record(message.topic(), message.partition(), message.offset(), message.value())
            ends[message.partition()] = message.offset() + 1
        if not ends:
            continue
        error = None
        try:
            for p in consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in ends.items()], asynchronous=False):
                error = error or p.error
        except KafkaException as failure:
            error = failure
        member.committed([(topic, p, o) for p, o in ends.items()], error)
    consumer.close()


main(*sys.argv[1:])
