package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A spill directory holds records that were not acked, one file a run, one recordJSON a line, in the order in which they
// failed. A file is named by the time of its run, so that names sort in the order of writing; it becomes visible under its
// final name once it is complete and synced.
const spillSuffix = ".jsonl"

// spillWriter keeps records in a new file of a spill directory, made when the first one comes.
type spillWriter struct {
	dir  string
	file *os.File
	buf  *bufio.Writer
}

func newSpillWriter(dir string) *spillWriter { return &spillWriter{dir: dir} }

func (w *spillWriter) add(r *kgo.Record, o outcome, cause error) error {
	if w.file == nil {
		if err := os.MkdirAll(w.dir, 0o755); err != nil {
			return err
		}
		file, err := os.CreateTemp(w.dir, time.Now().UTC().Format("20060102T150405.000000000Z")+"-*.tmp")
		if err != nil {
			return err
		}
		w.file, w.buf = file, bufio.NewWriter(file)
	}
	j := toJSON(r)
	j.Offset, j.TimestampType = nil, ""
	if r.Partition < 0 {
		j.Partition = nil
	}
	j.Outcome, j.Error = string(o), cause.Error()
	return jsonLine(w.buf, j)
}

// close syncs the file and gives it its final name. Without records it does nothing.
func (w *spillWriter) close() error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.buf.Flush(), w.file.Sync(), w.file.Close())
	if err != nil {
		return err
	}
	name := w.file.Name()
	return errors.Join(os.Rename(name, strings.TrimSuffix(name, ".tmp")+spillSuffix), syncDir(w.dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// resend sends what a spill directory holds, file by file, oldest first. A file goes once every record in it is acked or
// kept in a new file of the same directory; so an interrupt repeats at most the file it fell into.
func (s *sender) resend(ctx context.Context, dir string) error {
	files, err := spillFiles(dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		s.app.notice("%s holds nothing to send", dir)
		return nil
	}
	for _, name := range files {
		if err := s.resendFile(ctx, dir, name); err != nil {
			return err
		}
	}
	return nil
}

// spillFiles lists complete files, oldest first, and refuses a directory in which a run was cut off.
func spillFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usage("", "cannot read the spill directory: %v", err)
	}
	var files []string
	for _, e := range entries {
		switch {
		case strings.HasSuffix(e.Name(), ".tmp"):
			return nil, failed(nil, "Wait for that run, or if it is gone, rename it to end in "+spillSuffix+" after a look at its last line.",
				"%s is being written, or was when its run was killed", filepath.Join(dir, e.Name()))
		case strings.HasSuffix(e.Name(), spillSuffix):
			files = append(files, e.Name())
		}
	}
	slices.Sort(files)
	return files, nil
}

func (s *sender) resendFile(ctx context.Context, dir, name string) error {
	path := filepath.Join(dir, name)
	file, err := os.Open(path)
	if err != nil {
		return failed(err, "", "cannot read the spilled records: %v", err)
	}
	defer file.Close()
	again := &sender{app: s.app, client: s.client, witness: s.witness}
	again.handler = &failureHandler{app: s.app, spill: dir, to: newSpillWriter(dir)}
	unknown, read := 0, 0
	in := &recordInput{in: bufio.NewReader(file), format: "json"}
	err = again.send(ctx, func() (*kgo.Record, error) {
		line, err := in.readLine()
		if err != nil {
			return nil, err
		}
		j, err := parseRecordJSON(line)
		if read++; err != nil || j.Topic == "" {
			return nil, failed(err, "", "%s line %d is not a spilled record", path, read)
		}
		if j.Outcome == string(outcomeUnknown) {
			unknown++
		}
		return j.record(), nil
	})
	if !again.finished {
		return err // not all of the file was dealt with: it stays
	}
	if unknown > 0 {
		s.app.notice("%s of %s had an unknown outcome: they may be in the log twice now", comma(int64(unknown)), name)
	}
	if again.handler.fault != nil {
		return err // what failed again is not kept anywhere else
	}
	if gone := errors.Join(os.Remove(path), syncDir(dir)); gone != nil {
		return failed(gone, "Its records are in the log; remove it by hand.", "cannot remove %s: %v", path, gone)
	}
	return err
}
