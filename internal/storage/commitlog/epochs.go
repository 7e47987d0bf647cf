package commitlog

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
)

// EpochStart is a leader epoch and the offset at which it began.
type EpochStart struct {
	Epoch int32
	Start int64
}

// UndefinedEpoch and UndefinedOffset are Kafka's answers for "this log cannot know".
const (
	UndefinedEpoch  int32 = -1
	UndefinedOffset int64 = -1
)

// epochs is the line of leader epochs of a log: epochs and start offsets both rise strictly. It answers where an epoch
// ended, which is what a follower truncates to. Changes come from the appender, questions from anybody.
type epochs struct {
	mu    sync.RWMutex
	line  []EpochStart
	dirty bool // the file is older

	judging sync.Mutex
	judged  atomic.Bool // the line was compared with the batches since the log was opened
}

// assign records that epoch began at start, unless it is the latest already. Entries that the new one contradicts go:
// they are of a line that was truncated or never took a record.
func (c *epochs) assign(epoch int32, start int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.line); n > 0 && c.line[n-1].Epoch == epoch && c.line[n-1].Start <= start {
		return
	}
	n := len(c.line)
	for n > 0 && (c.line[n-1].Epoch >= epoch || c.line[n-1].Start >= start) {
		n--
	}
	c.line = append(c.line[:n], EpochStart{epoch, start})
	c.dirty = true
}

func (c *epochs) latest() int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.line) == 0 {
		return UndefinedEpoch
	}
	return c.line[len(c.line)-1].Epoch
}

// end answers OffsetForLeaderEpoch: the largest epoch not above the asked one, and where it ended. An epoch before the
// first known one ends where that begins; a later one than the latest is undefined.
func (c *epochs) end(epoch int32, logEnd int64) (int32, int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := len(c.line)
	switch {
	case epoch < 0 || n == 0 || epoch > c.line[n-1].Epoch:
		return UndefinedEpoch, UndefinedOffset
	case epoch == c.line[n-1].Epoch:
		return epoch, logEnd
	}
	higher := sort.Search(n, func(i int) bool { return c.line[i].Epoch > epoch })
	if higher == 0 {
		return epoch, c.line[0].Start
	}
	return c.line[higher-1].Epoch, c.line[higher].Start
}

// at is the epoch of an offset, UndefinedEpoch before the first.
func (c *epochs) at(offset int64) int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i := sort.Search(len(c.line), func(i int) bool { return c.line[i].Start > offset })
	if i == 0 {
		return UndefinedEpoch
	}
	return c.line[i-1].Epoch
}

// cutEnd forgets the epochs that began at end or later.
func (c *epochs) cutEnd(end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := sort.Search(len(c.line), func(i int) bool { return c.line[i].Start >= end })
	if n < len(c.line) {
		c.line, c.dirty = c.line[:n], true
	}
}

// cutStart forgets the epochs before the one that start is in, which now begins there.
func (c *epochs) cutStart(start int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := sort.Search(len(c.line), func(i int) bool { return c.line[i].Start > start })
	if n == 0 || c.line[n-1].Start == start && n == 1 {
		return
	}
	c.line, c.dirty = slices.Clone(c.line[n-1:]), true
	c.line[0].Start = start
}

func (c *epochs) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.dirty = nil, true
}

func (c *epochs) list() []EpochStart {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.line)
}

// appendEpochs encodes a leader-epoch-checkpoint file: version, count, one "epoch start" a line.
func appendEpochs(dst []byte, line []EpochStart) []byte {
	dst = fmt.Appendf(dst, "%d\n%d\n", checkpointVersion, len(line))
	for _, e := range line {
		dst = fmt.Appendf(dst, "%d %d\n", e.Epoch, e.Start)
	}
	return dst
}

// ParseEpochs reads a leader-epoch-checkpoint file. It refuses a line that does not rise strictly.
func ParseEpochs(p []byte) ([]EpochStart, error) {
	var line []EpochStart
	err := parseCheckpoint(p, 2, 0, func(f []string) error {
		epoch, err := strconv.ParseInt(f[0], 10, 32)
		if err != nil {
			return err
		}
		start, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return err
		}
		e := EpochStart{int32(epoch), start}
		if n := len(line); e.Epoch < 0 || e.Start < 0 || n > 0 && (e.Epoch <= line[n-1].Epoch || e.Start <= line[n-1].Start) {
			return fmt.Errorf("epoch %d at offset %d does not follow the one before", e.Epoch, e.Start)
		}
		line = append(line, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return line, nil
}
