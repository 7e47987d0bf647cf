// Package sim lives the life of a node in one goroutine, from a seed, and judges it after every step.
//
// The node is the real one below its sockets: metadata quorum over etcd's raft, partitions, commit log and journal, put
// together as internal/node does it, on a memory disk that knows which bytes a power cut takes. Around it are clients
// as small machines, which retry, time out and reconnect, a network that takes its time, and a nemesis that draws from
// the seed which kinds of faults this run has (few of them, mostly: what all faults together hide, one alone shows).
//
// A run has a first part in which anything may fail and nothing may be lost, and a second in which nothing fails any
// more and everybody must get on before a deadline. It ends with one more power cut and a look at every record.
//
//	sim.go       the run: clock, event queue, steps
//	plan.go      what the seed draws: faults, topics, clients, rates
//	disk.go      faults of the disk, power cuts before any of its operations
//	node.go      one life of the node: start, the steps of its goroutines, its end
//	net.go       connections: order, delay, late requests, broken ones
//	producer.go  reader.go  admin.go    the clients
//	groups.go                           coordinators of groups in every third run, who asks them, and what they said
//	classic.go  nextgen.go              members of groups of both protocols
//	truth.go     what was promised, and the judgement
//	nemesis.go   when what fails
//	trace.go     what happened, as a hash and as lines
//
// # Exact replay
//
// The same seed gives the same run, operation of the disk by operation of the disk: TestReplay compares hashes of the
// traces. So there is one goroutine, one source of chance and one clock; the manager does things in order
// (partition.Options.InOrder) and the quorum's turns are taken by hand (quorum.Driver.Step),
// and so are those of the coordinators (coord.Host.Step); no map is walked unsorted.
// One thing is not from the seed yet: raft draws its election time-outs from crypto/rand. With one voter there is no
// election to wait for. With more, it has to be replaced before this promise holds for them.
//
// # Not here
//
// The wire and the handlers (test/interop and internal/node hold those), goroutines that really run at once (the race
// detector and test/crash under testing/synctest), rot (test/crash), more than one node (comes with replication).
//
//	go test ./internal/sim                                        a few hundred runs
//	go test ./internal/sim -run TestSim -sim.runs=10000           as many as asked for
//	go test ./internal/sim -run TestSim -sim.seed=S -sim.trace    one run again, line by line
package sim
