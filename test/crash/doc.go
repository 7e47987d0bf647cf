// Package crash kills, starves and damages the real storage and looks at what is left.
//
// The subject is one node without its sockets: quorum.Driver, partition.Manager, commitlog and journal, put together as
// internal/node does it, on a memory disk that knows which bytes a power cut would take. It is not the place for the
// network, for several nodes or for real processes; those are internal/sim and verify.
//
//	crash_test   a recorded run is cut before every operation that changes the disk, in every way the disk may then
//	             look, and opened again
//	fault_test   operation n fails, for every n of a run, with every class of error
//	rot_test     every byte region of every kind of file is flipped or cut off
//
// What they hold the node to is in world_test.go: a world notes each promise before it is given (a request in flight may
// be there or not) and verifies an opened node against it. commitlog's own crash tests hold what no client can ask for
// yet: transactions and a follower's truncations.
//
// Every other run has its partitions in order, one thing at a time, and repeats exactly; the others have their goroutines.
// Half of them may use syncfs; the others sync each file and each folder by itself.
//
// Runs are inside testing/synctest: the clock moves when nobody has work, so checkpoints, sweeps and retention happen in
// them, a hang is a deadlock that the runtime reports, and ten minutes cost nothing.
//
//	go test ./test/crash                              about 2,000 images
//	go test ./test/crash -crash.images=1000000        as many as asked for; HOLDFAST_CRASH_IMAGES does the same;
//	                                                  with -crash.ledger=FILE a run goes on where the last one ended
//	go test ./test/crash -crash.stride=1 -crash.rot=1 every operation fails, every byte is damaged
//	go test ./test/crash -run TestFaults/EIO,_once -crash.only=137 -count=100   one operation, again and again
//	go test ./test/crash -crash.write                 writes the tables under docs/results
//
// test/bugs holds these tests to their word: known bugs, each of which must be found.
package crash
