// Command bench runs Apache Kafka 4.3.1 from its jars and Holdfast beside each other on one machine and compares them,
// row by row.
//
//	go run ./test/bench -rows produce -rounds 3        rows whose name contains "produce", three interleaved rounds
//	go run ./test/bench -list                          all rows
//	go run ./test/bench -write                         everything, into docs/performance.md and its pictures
//
// How a row is measured. In each round both systems run one after the other, the first one changing from round to
// round, each as a fresh process on a fresh data folder. The load comes from a third process: this program, started
// again with -generate, with a franz-go client. It makes its topic, warms the broker up with the row's own load, and
// says that it is ready; then everybody's dirty pages are written out, memory of the guest is touched and given back,
// so that neither system pays the host for pages it is the first to use, and the clock starts. After a produce row all
// records are read back and counted; a record that was acknowledged and is missing fails the row.
//
// A row has variants: Holdfast at its defaults, where an acknowledged record is on stable storage; Holdfast with
// commit.sync=false; Kafka at its defaults, where it is in the page cache; in some rows Kafka with flush.messages=1.
//
// Figures are medians of the rounds, with the lowest and the highest. CPU is the broker's own, from /proc, in seconds a
// GB (10^9 bytes) of keys and values. "Others" is the share of the machine that neither broker nor load generator
// used: where it is large, the machine was busy and the round says little.
//
// The program needs Linux, Go, Java and the jars that test/interop/install.sh fetches. Nothing imports it.
package main
