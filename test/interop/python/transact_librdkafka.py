"""Transactions in confluent-kafka, which is librdkafka: input is copied to output, with its offsets.

Arguments: BOOTSTRAP INPUT OUTPUT COUNT. Every third transaction is aborted, and its input read again. Prints how many
records were copied.
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition


def main(bootstrap, source, sink, count):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "librdkafka", "transaction.timeout.ms": 10000})
    producer.init_transactions(20)
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "librdkafka", "isolation.level": "read_committed",
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
    })
    consumer.subscribe([source])
    copied = turn = 0
    while copied < count:
        records = [r for r in consumer.consume(20, 1.0) if r.error() is None]
        if not records:
            continue
        producer.begin_transaction()
        for record in records:
            producer.produce(sink, record.value())
        producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 20)
        turn += 1
        if turn % 3 == 0:
            producer.abort_transaction(20)
            first = {}
            for record in records:
                first.setdefault(record.partition(), record.offset())
            for partition, offset in first.items():
                consumer.seek(TopicPartition(source, partition, offset))
            continue
        producer.commit_transaction(20)
        copied += len(records)
    consumer.close()
    print(copied)


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
