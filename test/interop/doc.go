// Package interop lets foreign clients judge the broker: kcat, Apache Kafka's own tools, librdkafka and
// kafka-python, kafkajs, franz-go and sarama. What one of them wrote the others must read byte for byte.
//
// It imports nothing of the product, since what it shared with it, it could not judge. The broker is a process
// that is started on a free port with a folder of its own and ended with the test. HOLDFAST_INTEROP_TARGET=kafka
// puts Apache Kafka in its place, from the same jars as the tools: a test that fails there is wrong itself.
//
// install.sh installs the clients, below HOLDFAST_INTEROP_CACHE or the user's cache folder. A test whose client
// is missing skips and says so; with HOLDFAST_REQUIRE=all it fails instead. HOLDFAST_BIN names a built holdfast to
// test instead of one built from this tree.
//
// # Lines
//
// Each end of the matrix is a program with two verbs. `write BOOTSTRAP` takes one JSON object a line from its
// standard input and sends each as a record; `read BOOTSTRAP` takes one object {"topic","partition","count"} a
// line and prints as many records from offset 0 on. A record is
//
//	{"topic", "partition", "offset", "timestamp" in ms, "timestampType": "create" or "append" where the client
//	 tells, "codec" when written, "key", "value", "headers": [[name, value], ...]}
//
// with key, value and header values in base64, or null.
//
// # Members
//
// The members of TestMixedMembers, and those that are compared with Apache Kafka's VerifiableConsumer, print its events, one
// JSON object a line: partitions_assigned, partitions_revoked, record_data, offsets_committed.
//
// Read broker_test.go first (what is judged), then clients_test.go (who judges) and matrix_test.go.
package interop
