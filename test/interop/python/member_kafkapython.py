"""A member of a classic group in kafka-python."""

import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

import member


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        member.partitions("partitions_assigned", assigned)

    def on_partitions_revoked(self, revoked):
        member.partitions("partitions_revoked", revoked)


def main(bootstrap, topic, group):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        partition_assignment_strategy=[RangePartitionAssignor],
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    consumer.subscribe([topic], listener=Listener())
    while not member.stopped:
        ends = {}
        for p, records in consumer.poll(timeout_ms=200, max_records=500).items():
            for r in records:
                member.record(r.topic, r.partition, r.offset, r.value)
            ends[p] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
        if not ends:
            continue
        error = None
        try:
            consumer.commit(ends)
        except KafkaError as failure:
            error = failure
        member.committed([(p.topic, p.partition, o.offset) for p, o in ends.items()], error)
    consumer.close(autocommit=False)


main(*sys.argv[1:])
