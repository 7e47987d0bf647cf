// Package verify runs scenarios: a load, faults at random moments, and in the end a verdict on every record.
//
// The load is workload, the judgement is check, the faults are done by local to nodes that run as processes. Here is
// what ties them together: when which fault comes, how long it took to recover, when the log is read back, and what the
// whole came to.
//
// A verdict is FAIL where a promise was broken, MISSED where an objective in time was, INCONCLUSIVE where not enough was
// seen to say, and PASS otherwise. A loss under weaker settings than acks=all is counted and is no failure: nothing else
// was promised.
//
// The seed decides the moments of the faults and the keys of the records. What the machine makes of it differs from run
// to run, so the same seed is the same plan, not the same history.
//
// Callers: the command `verify run`, and tests.
//
// Read scenario.go first, then run.go, kill.go and report.go.
package verify
