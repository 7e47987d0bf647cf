package node_test

import (
	"encoding/binary"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
)

// residentBytes is the memory this process has, sockets' buffers in the kernel left out. Under the race detector it is not
// told: then these tests look for races only.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	if racing {
		return 0 // the race detector keeps a shadow of all memory, which would be counted
	}
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("this system does not tell a process its memory: %v", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// crowd opens connections that say the same and then hang.
func crowd(t *testing.T, n *node.Node, count int, say []byte) []net.Conn {
	t.Helper()
	var all []net.Conn
	for range count {
		c, err := net.Dial("tcp", n.Address())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	var said sync.WaitGroup
	t.Cleanup(said.Wait)
	for _, c := range all {
		t.Cleanup(func() { c.Close() }) // before the wait: a broker that does not read holds up the write
		said.Go(func() { c.Write(say) })
	}
	return all
}

// announced is the beginning of a request that announces more than it brings.
func announced(key, version int16, size int, sent int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	return append(b, make([]byte, sent)...)
}

const budget = 64 << 20

// soon fails unless the bystander works within a time in which a client would wait.
func (b *bystander) soon() {
	b.t.Helper()
	b.within(10 * time.Second)
}

func (b *bystander) within(limit time.Duration) {
	b.t.Helper()
	began := time.Now()
	b.unharmed()
	if took := time.Since(began); took > limit {
		b.t.Errorf("a well-behaved client took %v", took)
	}
}

// A thousand clients announce large requests and send next to nothing of them.
func TestAnnouncedRequestsHoldNoMemory(t *testing.T) {
	n := start(t, t.TempDir(), "memory.budget.bytes="+strconv.Itoa(budget))
	good := newBystander(t, n)
	before := residentBytes(t)
	crowd(t, n, 500, announced(0, 9, 100<<20, 0))
	crowd(t, n, 500, announced(0, 9, 30<<20, 4000))
	good.soon()
	if grown := residentBytes(t) - before; grown > budget {
		t.Errorf("memory grew by %d MiB, the budget is %d", grown>>20, budget>>20)
	} else {
		t.Logf("memory grew by %d MiB", grown>>20)
	}
	// A large honest request still gets through.
	c := dial(t, n)
	large := batchOf(t, 30_000, -1, 0, 0)
	if p := produced(c.ask(produceOf("bystander", 0, -1, large))); p.ErrorCode != 0 {
		t.Errorf("a batch of %d bytes: error %d", len(large), p.ErrorCode)
	}
}

// Requests that decode into many times their size are decoded a few at a time.
func TestDecodedRequestsStayWithinTheBudget(t *testing.T) {
	n := start(t, t.TempDir(), "memory.budget.bytes="+strconv.Itoa(budget), "auto.create.topics.enable=false")
	good := client(t, n)
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 4
	q.Topics = make([]kmsg.MetadataRequestTopic, 250_000)
	for i := range q.Topics {
		name := strconv.FormatInt(int64(i%1000), 36)
		q.Topics[i].Topic = &name
	}
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, q, 1)
	q = nil
	runtime.GC()
	before := residentBytes(t)
	for _, c := range crowd(t, n, 24, frame) {
		c.SetDeadline(time.Now().Add(60 * time.Second))
		if _, err := (&raw{t, c}).next(); err != nil {
			t.Fatal(err)
		}
	}
	if grown := residentBytes(t) - before; grown > 2*budget {
		t.Errorf("memory grew by %d MiB, the budget is %d", grown>>20, budget>>20)
	} else {
		t.Logf("memory grew by %d MiB", grown>>20)
	}
	if err := good.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Clients that fetch much and take nothing of it leave memory for others.
func TestAnswersNobodyTakesLeaveMemoryForOthers(t *testing.T) {
	n := start(t, t.TempDir(), "memory.budget.bytes="+strconv.Itoa(budget))
	good := newBystander(t, n)
	createTopic(t, n, "large", 1)
	c := dial(t, n)
	for range 30 {
		if p := produced(c.ask(produceOf("large", 0, 1, batchOf(t, 30_000, -1, 0, 0)))); p.ErrorCode != 0 {
			t.Fatal(p.ErrorCode)
		}
	}
	before := residentBytes(t)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, fetchOf(11, 1, 1000, at{topic: "large", max: 50 << 20}), 1)
	crowd(t, n, 100, frame)
	good.within(5 * time.Second)
	if grown := residentBytes(t) - before; grown > 2*budget {
		t.Errorf("memory grew by %d MiB, the budget is %d", grown>>20, budget>>20)
	} else {
		t.Logf("memory grew by %d MiB", grown>>20)
	}
}

// Fetch sessions are given for as many partitions as there is room for, whatever clients name.
func TestSessionsOfManyPartitionsAreNotKept(t *testing.T) {
	n := start(t, t.TempDir(), "memory.budget.bytes="+strconv.Itoa(budget))
	good := newBystander(t, n)
	var where []at
	for i := range int32(20_000) {
		where = append(where, at{topic: "x", partition: i})
	}
	q := fetchOf(7, 0, 0)
	q.SessionEpoch = 0
	ft := kmsg.NewFetchRequestTopic()
	ft.Topic = "x"
	for _, w := range where {
		ft.Partitions = append(ft.Partitions, fetchTopic(w).Partitions...)
	}
	q.Topics = append(q.Topics, ft)
	before, kept := residentBytes(t), 0
	for range 50 {
		if dial(t, n).ask(q).(*kmsg.FetchResponse).SessionID != 0 {
			kept++
		}
	}
	if kept != 0 {
		t.Errorf("%d sessions of 20,000 partitions are kept", kept)
	}
	if grown := residentBytes(t) - before; grown > 2*budget {
		t.Errorf("memory grew by %d MiB, the budget is %d", grown>>20, budget>>20)
	}
	good.soon()
}

// Connections that come and go, at once and without a word, leave nothing behind.
func TestAcceptStorm(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	before := runtime.NumGoroutine()
	for range 3000 {
		c, err := net.Dial("tcp", n.Address())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	eventually(t, "all goroutines of the storm have ended", func() bool { return runtime.NumGoroutine() <= before+5 })
	good.soon()
}

// Bytes that are no requests, in any number, break nothing and end only their own connection.
func TestNoise(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("noise")).AppendRequest(nil, fetchOf(12, 1, 10, at{topic: "bystander"}), 1)
	for i := 4; i < len(frame); i++ {
		for _, bits := range []byte{0xff, 0x80, 0x01} {
			spoilt := append([]byte(nil), frame...)
			spoilt[i] ^= bits
			c, err := net.Dial("tcp", n.Address())
			if err != nil {
				t.Fatal(err)
			}
			c.Write(spoilt)                                     //nolint:errcheck // the broker may have closed it
			c.(*net.TCPConn).CloseWrite()                       //nolint:errcheck // as above
			c.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // as above
			if _, err := c.Read(make([]byte, 1)); os.IsTimeout(err) {
				t.Errorf("byte %d xor %#x: neither an answer nor the end within 10 s", i, bits)
			}
			c.Close()
		}
	}
	good.soon()
}
