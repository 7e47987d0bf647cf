package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceNumbers writes the numbers below n, padded so that a pipe holds a few thousand of them only.
func produceNumbers(t *testing.T, brokers string, partitions int32, n int) {
	t.Helper()
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `{"value":"%08d and some more","partition":%d}`+"\n", i, i%int(partitions))
	}
	holdfast(t, brokers, s.String(), "produce", "t", "--format", "json").want(t, exitDone)
}

// numbered is a cluster with the topic t, in which the numbers below n are.
func numbered(t *testing.T, partitions int32, n int) string {
	t.Helper()
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(partitions, "t")))
	produceNumbers(t, b, partitions, n)
	return b
}

// count adds the numbers of lines to seen.
func count(t *testing.T, seen map[int]int, lines []string) {
	t.Helper()
	for _, line := range lines {
		first, _, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(first)
		if err != nil {
			t.Fatalf("read %q", line)
		}
		seen[n]++
	}
}

// wantAll fails where a number below n was never seen; it returns how many were seen more than once.
func wantAll(t *testing.T, seen map[int]int, n int) (twice int) {
	t.Helper()
	missing := 0
	for i := range n {
		switch {
		case seen[i] == 0:
			missing++
		case seen[i] > 1:
			twice++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d records never came", missing, n)
	}
	return twice
}

// program is the program itself, as a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("holdfast") // testscript.Main puts it there
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = &strings.Builder{}
	return cmd
}

// A member that is killed with SIGKILL again and again while it writes loses no record: what was committed is in the
// pipe, and what was not is read again.
func TestGroupKilledLosesNothing(t *testing.T) {
	const n = 20_000
	b := numbered(t, 3, n)
	seen := map[int]int{}
	for round := range 6 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"consume", "t", "--group", "g", "--instance", "one", "--commit-interval", "1ms", "-b", b}
		cmd := program(t, append(args, "--idle", "1s")...)
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		var lines []string
		scan := bufio.NewScanner(r)
		for len(lines) < 2500+300*round && scan.Scan() { // then it is in the middle of writing, as the pipe is full
			lines = append(lines, scan.Text())
		}
		if round < 5 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		rest, err := io.ReadAll(readerOf(scan, r))
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		more := strings.Split(string(rest), "\n")
		count(t, seen, append(lines, more[:len(more)-1]...)) // the last line may be cut short
		r.Close()
	}
	t.Logf("%d records came again", wantAll(t, seen, n))
}

// So does one that is killed while its command runs.
func TestGroupExecKilledLosesNothing(t *testing.T) {
	const n = 300
	b := numbered(t, 3, n)
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"consume", "t", "--group", "g", "--instance", "one", "--batch", "4", "--exec", "cat >> " + out, "-b", b, "--idle", "500ms"}
	for round := range 4 {
		cmd := program(t, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for round < 3 && lineCount(out) < 40*(round+1) {
			time.Sleep(time.Millisecond) // sleep: what another process does is seen by looking again
		}
		if round < 3 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait() // it was killed
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	count(t, seen, strings.Split(strings.TrimSpace(string(text)), "\n"))
	t.Logf("%d records came again", wantAll(t, seen, n))
}

// lineCount is how many lines a file has; none where it is not there yet.
func lineCount(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

// readerOf is what a scanner has not scanned: what it holds already, and what is still in r.
func readerOf(scan *bufio.Scanner, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		for scan.Scan() {
			fmt.Fprintln(pw, scan.Text())
		}
		pw.CloseWithError(scan.Err())
	}()
	return pr
}

// A pipe that nobody reads any more commits nothing that was not written into it, and the member leaves the group.
func TestGroupWithClosedPipe(t *testing.T) {
	b := numbered(t, 1, 20_000)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "consume", "t", "--group", "g", "--commit-interval", "1ms", "-b", b)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := bufio.NewReaderSize(r, 100).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	_ = cmd.Wait() // its exit code says how it ended
	says := fmt.Sprint(cmd.Stderr)
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(says, "standard output was closed") {
		t.Errorf("%v: %s", cmd.ProcessState, says)
	}
	// The first flush is larger than a pipe: it failed, so nothing was written as far as anyone can tell.
	if d := holdfast(t, b, "", "group", "list").want(t, exitDone); !strings.Contains(d.out, "Empty") {
		t.Errorf("the member did not leave: %s", d.out)
	}
	again := holdfast(t, b, "", "consume", "t", "--group", "g", "--count", "1").want(t, exitDone)
	if !strings.HasPrefix(again.out, "00000000") {
		t.Errorf("goes on at %q", again.out)
	}
}

// Two members share a topic; one stops, and the other goes on where it was: every record once.
func TestGroupHandsOver(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const n = 4000
			b := brokersOf(fakeCluster(t, kfake.SeedTopics(4, "t"), kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "50"})))
			produceNumbers(t, b, 4, n)
			config := filepath.Join(t.TempDir(), "client.properties")
			if err := os.WriteFile(config, []byte("heartbeat.interval.ms=50\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			args := []string{"consume", "t", "--group", "g", "--protocol", protocol, "--client-config", config}
			_, first := run(ctx, t, b, args...)
			_, second := run(t.Context(), t, b, append(args, "--idle", "1500ms")...)
			awaitShared(t, b, 2)
			stop()
			a := (<-first).want(t, exitDone)
			produceNumbers(t, b, 4, n)
			z := (<-second).want(t, exitDone)
			seen := map[int]int{}
			count(t, seen, a.lines())
			count(t, seen, z.lines())
			for i := range n {
				if seen[i] != 2 { // written twice
					t.Fatalf("record %d came %d times\n%s%s", i, seen[i], a.err, z.err)
				}
			}
			holdfast(t, b, "", "group", "lag", "g", "--want-lag", "0").want(t, exitDone)
		})
	}
}

// awaitShared waits until so many members share group g, and none waits for another.
func awaitShared(t *testing.T, brokers string, members int) {
	t.Helper()
	for t.Context().Err() == nil {
		var g listedGroup
		r := holdfast(t, brokers, "", "group", "list", "-o", "json").want(t, exitDone)
		if r.out != "" {
			if err := json.Unmarshal([]byte(r.out), &g); err != nil {
				t.Fatal(err)
			}
		}
		if g.Members == members && g.State == "Stable" {
			return
		}
		time.Sleep(5 * time.Millisecond) // sleep: a cluster's state is seen by asking again
	}
}

// --exec commits what the command exited 0 for, stops at what it fails for, and the next member meets that again.
func TestGroupExec(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	holdfast(t, b, "a\nb\nbad\nc\n", "produce", "t").want(t, exitDone)
	out := filepath.Join(t.TempDir(), "out")
	command := `read x; [ "$x" != bad ] && echo "$HOLDFAST_TOPIC-$HOLDFAST_PARTITION@$HOLDFAST_OFFSET $x" >> ` + out
	r := holdfast(t, b, "", "consume", "t", "--group", "g", "--exec", command, "--exec-retries", "1", "--exec-retry-wait", "1ms").want(t, exitFailed)
	for _, want := range []string{"the command failed for t partition 0 offset 2: exit status 1 (2 tries)", "2 records handled, all committed"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is missing in %s", want, r.err)
		}
	}
	holdfast(t, b, "", "consume", "t", "--group", "g", "--exec", "false").want(t, exitFailed)
	holdfast(t, b, "", "group", "reset", "g", "--topic", "t", "--shift-by", "1", "--execute").want(t, exitDone)
	holdfast(t, b, "", "consume", "t", "--group", "g", "--exec", command, "--count", "1").want(t, exitDone)
	text, err := os.ReadFile(out)
	if err != nil || string(text) != "t-0@0 a\nt-0@1 b\nt-0@3 c\n" {
		t.Errorf("%v %q", err, text)
	}
	holdfast(t, b, "", "group", "reset", "g", "--topic", "t", "--to-earliest", "--execute").want(t, exitDone)
	batch := holdfast(t, b, "", "consume", "t", "--group", "g", "--exec", "cat; echo $HOLDFAST_RECORDS", "--batch", "10", "--count", "4", "-o", "json").want(t, exitDone)
	if got := batch.lines(); len(got) != 5 || got[4] != "4" || !strings.HasPrefix(got[0], `{"topic":"t"`) {
		t.Errorf("a batch: %q", batch.out)
	}
	slow := holdfast(t, b, "", "consume", "t", "--group", "slow", "--exec", "exec sleep 60", "--exec-timeout", "50ms").want(t, exitFailed)
	if !strings.Contains(slow.err, errTooLong.Error()) {
		t.Error(slow.err)
	}
}

// An interrupt lets the command finish, commits what it did and leaves.
func TestGroupExecInterrupted(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	holdfast(t, b, "a\nb\n", "produce", "t").want(t, exitDone)
	began := filepath.Join(t.TempDir(), "began")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	_, done := run(ctx, t, b, "consume", "t", "--group", "g", "--exec", "touch "+began+"; sleep 0.3")
	for {
		if _, err := os.Stat(began); err == nil {
			break
		}
		time.Sleep(time.Millisecond) // sleep: what another process does is seen by looking again
	}
	interrupt()
	r := (<-done).want(t, exitDone)
	if !strings.Contains(r.err, "1 record handled, all committed") {
		t.Error(r.err)
	}
}

// Offsets that retention has taken away are passed with a word, in which the range stands, or refused.
func TestGroupOutOfRange(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	holdfast(t, b, "0\n1\n2\n3\n4\n5\n", "produce", "t").want(t, exitDone)
	holdfast(t, b, "", "group", "reset", "g", "--topic", "t", "--to-offset", "1", "--execute").want(t, exitDone)
	deleteBefore(t, b, 4)
	lag := holdfast(t, b, "", "group", "lag", "g").want(t, exitDone)
	if !strings.Contains(lag.out, "3 records deleted before being read") {
		t.Error(lag.out)
	}
	none := holdfast(t, b, "", "consume", "t", "--group", "g", "--offset", "none").want(t, exitFailed)
	if !strings.Contains(none.err, "offset 1 of t partition 0 does not exist: there are 4 to 6") {
		t.Error(none.err)
	}
	r := holdfast(t, b, "", "consume", "t", "--group", "g", "--count", "2").want(t, exitDone)
	if r.out != "4\n5\n" || !strings.Contains(r.err, "goes on at 4, 3 records skipped") {
		t.Errorf("%q: %s", r.out, r.err)
	}
}

// While the group is still putting itself together - a broker gives others three seconds to come, by default - nothing is idle.
func TestGroupIdleBeginsWithMembership(t *testing.T) {
	c := fakeCluster(t, kfake.SeedTopics(1, "t"))
	b := brokersOf(c)
	holdfast(t, b, "0\n1\n", "produce", "t").want(t, exitDone)
	c.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { time.Sleep(700 * time.Millisecond) }) // sleep: a broker that takes its time
		c.KeepControl()
		return nil, nil, false
	})
	r := holdfast(t, b, "", "consume", "t", "--group", "g", "--idle", "200ms").want(t, exitDone)
	if r.out != "0\n1\n" {
		t.Errorf("%q: %s", r.out, r.err)
	}
}

func deleteBefore(t *testing.T, brokers string, offset int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offsets := kadm.Offsets{}
	offsets.AddOffset("t", 0, offset, -1)
	answer, err := kadm.NewClient(cl).DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}
