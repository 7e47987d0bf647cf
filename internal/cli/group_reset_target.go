package cli

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxResetLines bounds --from-file.
const maxResetLines = 1_000_000

// resetFlags say where a group is to be moved to. Exactly one is given.
type resetFlags struct {
	earliest, latest bool
	offset, shift    int64
	datetime, ago    string
	file             string
}

func (f *resetFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.earliest, "to-earliest", false, "to the first record there is")
	flags.BoolVar(&f.latest, "to-latest", false, "to the end")
	flags.Int64Var(&f.offset, "to-offset", 0, "to this offset")
	flags.StringVar(&f.datetime, "to-datetime", "", "to the first record written at or after this time")
	flags.StringVar(&f.ago, "by-duration", "", "to the first record written since so long ago")
	flags.Int64Var(&f.shift, "shift-by", 0, "so many records on, or back where negative")
	flags.StringVar(&f.file, "from-file", "", "to the offsets in this file of topic,partition,offset")
}

// resetTarget is where to: a position every partition has, a shift, or offsets from a file.
type resetTarget struct {
	position position // earliest, latest, at, time
	shift    *int64
	file     []place
}

func (f *resetFlags) parse(cmd *cobra.Command, stdin io.Reader, now time.Time) (resetTarget, error) {
	var given []string
	for _, name := range []string{"to-earliest", "to-latest", "to-offset", "to-datetime", "by-duration", "shift-by", "from-file"} {
		if cmd.Flags().Changed(name) {
			given = append(given, name)
		}
	}
	switch {
	case len(given) == 0:
		return resetTarget{}, usage("Use one of --to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, --shift-by, --from-file.", "group reset needs to know where to")
	case len(given) > 1:
		return resetTarget{}, usage("", "--%s and --%s cannot both be where to", given[0], given[1])
	}
	switch given[0] {
	case "to-earliest":
		return resetTarget{position: position{way: "earliest"}}, nil
	case "to-latest":
		return resetTarget{position: position{way: "latest"}}, nil
	case "to-offset":
		if f.offset < 0 {
			return resetTarget{}, usage("", "--to-offset %d: there is no negative offset", f.offset)
		}
		return resetTarget{position: position{way: "at", offset: f.offset}}, nil
	case "to-datetime":
		since, err := parseTime(f.datetime, now)
		return resetTarget{position: position{way: "time", since: since}}, err
	case "by-duration":
		d, err := parseSpan(f.ago)
		return resetTarget{position: position{way: "time", since: now.Add(-d)}}, err
	case "shift-by":
		return resetTarget{shift: &f.shift}, nil
	}
	list, err := readOffsets(f.file, stdin)
	return resetTarget{file: list}, err
}

var isoSpan = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// parseSpan reads a duration: Go's form, with days besides (2d12h), or ISO 8601 as Kafka's tools have it (P2DT12H).
func parseSpan(text string) (time.Duration, error) {
	bad := usage("Use 90m, 36h, 2d or PT1H30M.", "%q is not a duration", text)
	days, rest := 0.0, text
	if m := isoSpan.FindStringSubmatch(strings.ToUpper(text)); m != nil && len(text) > 2 {
		rest = ""
		for i, unit := range []string{"h", "m", "s"} {
			if m[i+2] != "" {
				rest += m[i+2] + unit
			}
		}
		days, _ = strconv.ParseFloat("0"+m[1], 64)
	} else if before, after, ok := strings.Cut(text, "d"); ok {
		var err error
		if days, err = strconv.ParseFloat(before, 64); err != nil {
			return 0, bad
		}
		rest = after
	}
	var d time.Duration
	if rest != "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, bad
		}
	}
	if text == "" || days < 0 || d < 0 || days > math.MaxInt64/float64(48*time.Hour) {
		return 0, bad
	}
	return d + time.Duration(days*float64(24*time.Hour)), nil
}

// topicPartitions is a topic, and which of its partitions; nil is all of them.
type topicPartitions struct {
	topic      string
	partitions []int32
}

// parseTopicPartitions reads NAME and NAME:0,2. A colon is in no topic's name.
func parseTopicPartitions(list []string) (out []topicPartitions, err error) {
	for _, text := range list {
		name, numbers, some := strings.Cut(text, ":")
		t := topicPartitions{topic: name}
		for n := range strings.SplitSeq(numbers, ",") {
			if !some {
				break
			}
			p, err := strconv.ParseInt(strings.TrimSpace(n), 10, 32)
			if err != nil || p < 0 {
				return nil, usage("Write NAME or NAME:0,2.", "%q in --topic %s is not a partition", n, text)
			}
			t.partitions = append(t.partitions, int32(p))
		}
		if name == "" {
			return nil, usage("Write NAME or NAME:0,2.", "--topic %q names no topic", text)
		}
		out = append(out, t)
	}
	return out, nil
}

// readOffsets reads lines of topic,partition,offset; all faults are said at once.
func readOffsets(path string, stdin io.Reader) ([]place, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usage("Give --from-file a file of lines topic,partition,offset, or - for standard input.", "cannot read the offsets: %v", err)
		}
		defer file.Close()
		in = file
	}
	list := []place{}
	var faults []error
	scan := bufio.NewScanner(in)
	for n := 1; scan.Scan() && n <= maxResetLines; n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := parseOffsetLine(line)
		if err != nil && len(faults) < 10 {
			faults = append(faults, usage("", "%s line %d: %v", path, n, err))
		}
		list = append(list, p)
	}
	if err := scan.Err(); err != nil {
		return nil, failed(err, "", "cannot read the offsets: %v", err)
	}
	if len(faults) == 0 && len(list) == 0 {
		faults = append(faults, usage("Its lines are topic,partition,offset.", "%s holds no offsets", path))
	}
	return list, joinProblems(faults)
}

func parseOffsetLine(line string) (place, error) {
	fields := strings.Split(line, ",")
	for i := range fields {
		fields[i] = strings.Trim(strings.TrimSpace(fields[i]), `"`) // Kafka's tool quotes names with special characters
	}
	if len(fields) != 3 {
		return place{}, fmt.Errorf("%q is not topic,partition,offset", line)
	}
	partition, err := strconv.ParseInt(fields[1], 10, 32)
	if err != nil || partition < 0 {
		return place{}, fmt.Errorf("%q is not a partition", fields[1])
	}
	offset, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || offset < 0 {
		return place{}, fmt.Errorf("%q is not an offset", fields[2])
	}
	return place{topic: fields[0], partition: int32(partition), offset: offset}, nil
}

// saveOffsets writes what is committed in the form that --from-file reads. It does not write over a file: that may be the
// only memory of where the group was.
func saveOffsets(path string, moves []resetMove) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return usage("Give --save the name of a file that is not there yet.", "cannot save the offsets: %v", err)
	}
	for _, m := range moves {
		if m.Committed != nil {
			if _, err = fmt.Fprintf(file, "%s,%d,%d\n", m.Topic, m.Partition, *m.Committed); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return failed(err, "", "cannot save the offsets: %v", err)
	}
	return nil
}

// aim sets the new offset and what it changes. asked is a file's offset, timed the one found for a time.
func (m *resetMove) aim(target resetTarget, asked, timed int64) error {
	if target.position.way == "time" && timed < 0 {
		timed = m.End
	}
	switch {
	case target.file != nil:
		m.New = asked
	case target.shift != nil && m.Committed == nil:
		return failed(nil, "Use another way, or leave the partition out.", "cannot shift %s partition %d: group %s has committed nothing there", m.Topic, m.Partition, m.Group)
	case target.shift != nil:
		m.New = *m.Committed + *target.shift
	case target.position.way == "at":
		m.New = target.position.offset
	default:
		s, err := target.position.in(m.Start, m.End, timed)
		if err != nil {
			return err
		}
		m.New = s.next
	}
	if kept := min(max(m.New, m.Start), m.End); kept != m.New {
		end := map[bool]string{true: "begins at " + comma(m.Start), false: "ends at " + comma(m.End)}[kept == m.Start && m.New < m.Start]
		m.Moved = fmt.Sprintf("asked for %s, the partition %s", comma(m.New), end)
		m.New = kept
	}
	from, to := m.span()
	switch {
	case m.Committed == nil:
		m.Change = "begin"
	case to == from:
		m.Change = "none"
	case m.New > *m.Committed:
		m.Change = "skip"
	default:
		m.Change = "repeat"
	}
	m.Records = to - from
	return nil
}

// span is the range of offsets that is skipped or read again; where nothing was committed, what there is to read.
func (m *resetMove) span() (from, to int64) {
	if m.Committed == nil {
		return m.New, m.End
	}
	old := min(max(*m.Committed, m.Start), m.End) // what was deleted is neither skipped nor read again
	return min(old, m.New), max(old, m.New)
}
