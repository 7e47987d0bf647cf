// Command bench runs Apache Kafka 4.3.1 from its jars and Holdfast beside each other on one machine and compares them,
// row by row.
//
//	go run ./test/bench -rows produce -rounds 3        rows whose name contains "produce", three interleaved rounds
//	go run ./test/bench -list                          all rows
//	go run ./test/bench -short                         all rows, three rounds, in about half an hour
//	go run ./test/bench -write                         everything, into docs/performance.md and its pictures
//	go run ./test/bench -gate                          Holdfast alone: what a request costs, against the accepted figures
//
// How a row is measured. In each round both systems run one after the other, the first one changing from round to
// round, each as a fresh process on a fresh data folder. The load comes from a third process: this program, started
// again with -generate, with a franz-go client. It makes its topic, warms the broker up with the row's own load, and
// says that it is ready; then everybody's dirty pages are written out, memory of the guest is touched and given back,
// so that neither system pays the host for pages it is the first to use, and the clock starts. After a produce row all
// records are read back and counted; a record that was acknowledged and is missing fails the row.
//
// With -share rows share a broker and delete their topics, which saves most of the time that Kafka takes to start; rows
// about starting, recovering, connections and topics never do. -short is that with small amounts.
//
// A group row has that many members, each a client of its own in the load generator, and ends each measurement when
// every partition is owned by exactly one of them. Both systems start a group's first rebalance without delay
// (group.initial.rebalance.delay.ms=0, as in the server.properties that Kafka comes with). How soon a join or leave is
// noticed is up to the members' heartbeats, 3 s in a classic group and the broker's choice in the new protocol; a row
// with heartbeats of 100 ms shows the broker's share.
//
// The gate counts allocations, reads, writes and the bytes that pass through them for each of thousands of equal
// requests, which a busy machine does not change, and holds them to docs/results/gate.md.
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
