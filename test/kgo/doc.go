// Command kgo runs the test suite of franz-go's client against a broker and judges the outcome. It is the suite with
// which that client's authors hold Apache Kafka and others to the protocol: producing, consuming, classic and KIP-848
// groups with members that come and go, transactions.
//
//	test/kgo/run                    against a holdfast built from this tree
//	test/kgo/run -target kafka      against Apache Kafka, from the jars of test/interop/install.sh: the baseline
//	test/kgo/run -long              with as many records as the authors' own CI has
//
// The suite is built from the module cache, in the version that go.mod names; nothing of it is in this tree. It holds
// the broker only by its address.
//
// A test that fails, or never ends, fails the run. So does one that skips without being in skips.txt with a reason, and
// one that is in there and passes: a list of exceptions must not outlive them.
//
// Read main.go (the run), broker.go (what is judged) and verdict.go (the judge).
package main
