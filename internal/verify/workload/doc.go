// Package workload is the load of a verification run: producers and readers that use a cluster as programs do, through a
// public Kafka client, and tell check what they did, what they were answered and what they got.
//
// It does not judge (check does) and causes no faults (verify does). It works against any Kafka cluster.
//
// What became of a record has three values. Acked: the cluster said so. Refused: it is surely not in the log, now or
// later - every attempt was answered with an error that says so, or none ever left. Unsure: anything else. The client
// library's last error cannot tell the last two apart: a batch whose answer was lost and that is refused on the next try
// ends with the refusal, though the first try may be in the log. So a Witness reads along on the producer's connections,
// and the classes of proto/wire say which answers leave a doubt.
//
// Every value says who wrote it, when and in which place (Payload), so that a reader needs no memory of the producer.
//
// Owns: a Producer has one goroutine that sends and is told outcomes by the library's; a Tail has one that reads. All
// tell the Judge, which is check behind a lock. Each ends when its context does.
//
// Read payload.go first, then producer.go, reader.go and audit.go; witness.go stands for itself.
package workload
