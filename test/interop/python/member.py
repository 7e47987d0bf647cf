"""What the members of a group in Python have in common: the events that they print, as Apache Kafka's VerifiableConsumer does."""

import json
import signal
import sys
import time

stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)


def say(name, **more):
    # One write each, so that a member that is killed leaves whole lines.
    sys.stdout.write(json.dumps({"timestamp": int(time.time() * 1000), "name": name, **more}) + "\n")
    sys.stdout.flush()


def partitions(name, list):
    say(name, partitions=[{"topic": p.topic, "partition": p.partition} for p in list])


def record(topic, partition, offset, value):
    say("record_data", topic=topic, partition=partition, offset=offset, value=value.decode())


def committed(offsets, error):
    say(
        "offsets_committed",
        offsets=[{"topic": topic, "partition": partition, "offset": offset} for topic, partition, offset in offsets],
        **({"error": str(error)} if error else {}),
        success=not error,
    )
