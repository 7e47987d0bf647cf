package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/storage/vfs"
)

// dump shows the files of a data directory.
type dump struct {
	app     *app
	fs      vfs.FS
	out     *bufio.Writer
	records bool  // show the records of batches too
	from    int64 // pass over batches that end before this offset
	count   int   // batches or entries at most; 0 is all
	damaged bool  // something that was looked at is not as it should be
}

// item is one thing in a file: a line of text, or an object of JSON.
type item interface{ line() string }

func newDumpCommand(a *app) *cobra.Command {
	d := &dump{app: a, fs: vfs.OS()}
	cmd := &cobra.Command{
		Use:   "dump PATH",
		Short: "Show a file or folder of a data directory in readable form",
		Long: `Shows any file of a data directory: segments, their offset, time and transaction indexes, producer snapshots, leader
epochs, checkpoints, partition.metadata, meta.properties, and Holdfast's journal and metadata snapshot. With a folder,
all files in it. It only reads, and may be used while a broker runs; the newest bytes may then be half written.

Reads the files of Apache Kafka as well. ` + noCluster + `

The exit code is 3 if something is damaged.`,
		Example: "  holdfast dump holdfast-data/orders-0/00000000000000000000.log --records\n" +
			"  holdfast dump holdfast-data/orders-0\n" +
			"  holdfast dump holdfast-data/quorum -o json",
		Args: takes(1, 1, "a file or folder"),
		RunE: func(_ *cobra.Command, args []string) error { return d.run(args[0]) },
	}
	cmd.Flags().BoolVar(&d.records, "records", false, "show the records of each batch")
	cmd.Flags().Int64Var(&d.from, "offset", 0, "begin with the batch that holds this offset")
	cmd.Flags().IntVarP(&d.count, "count", "n", 0, "show at most so many batches or entries of a file; 0 shows all")
	return cmd
}

func (d *dump) run(path string) error {
	if d.from < 0 || d.count < 0 {
		return usage("", "a negative number makes no sense here")
	}
	path = filepath.Clean(path)
	info, err := d.fs.Stat(path)
	if err != nil {
		return usage("Give it a file or folder of a data directory.", "cannot read %s: %v", path, err)
	}
	d.out = bufio.NewWriter(d.app.env.Out)
	if info.IsDir {
		err = d.folder(path)
	} else {
		err = d.file(path, true)
	}
	if err := errors.Join(err, d.out.Flush()); err != nil {
		return err
	}
	if d.damaged {
		return &Problem{Code: exitViolation, What: "something in " + path + " is damaged: see above"}
	}
	return nil
}

// folder shows every file that is known, and the folders in it.
func (d *dump) folder(path string) error {
	names, err := d.fs.List(path)
	if err != nil {
		return failed(err, "", "cannot list %s: %v", path, err)
	}
	for _, name := range names {
		sub := filepath.Join(path, name)
		info, err := d.fs.Stat(sub)
		if err != nil {
			continue // it went while we were looking: a broker may be running
		}
		if info.IsDir {
			err = d.folder(sub)
		} else {
			err = d.file(sub, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reader shows one kind of file.
type fileReader struct {
	name string // of the kind
	show func(d *dump, path string) error
}

// A segment's files may carry a second suffix: set aside for deletion, written by the cleaner, and so on.
var secondSuffix = regexp.MustCompile(`\.(deleted|cleaned|swap|bad|quarantined|tmp)$`)

var (
	segmentName  = regexp.MustCompile(`^\d{20}\.log$`)
	offsetName   = regexp.MustCompile(`^\d{20}\.index$`)
	timeName     = regexp.MustCompile(`^\d{20}\.timeindex$`)
	txnName      = regexp.MustCompile(`^\d{20}\.txnindex$`)
	producerName = regexp.MustCompile(`^\d{20}\.snapshot$`)
	metadataName = regexp.MustCompile(`^\d{20}-\d{10}\.checkpoint$`) // Apache Kafka's metadata snapshot: record batches
	journalName  = regexp.MustCompile(`^[0-9a-f]{16}\.(journal|spare)$`)
)

// kindOf finds the reader for a file by its name, or nil.
func kindOf(path string) *fileReader {
	name := filepath.Base(path)
	name = secondSuffix.ReplaceAllString(name, "")
	for _, k := range []struct {
		matches bool
		reader  fileReader
	}{
		{segmentName.MatchString(name), fileReader{"segment", (*dump).segment}},
		{metadataName.MatchString(name) || name == "bootstrap.checkpoint", fileReader{"metadata snapshot", (*dump).segment}},
		{offsetName.MatchString(name), fileReader{"offset index", (*dump).offsetIndex}},
		{timeName.MatchString(name), fileReader{"time index", (*dump).timeIndex}},
		{txnName.MatchString(name), fileReader{"transaction index", (*dump).txnIndex}},
		{producerName.MatchString(name), fileReader{"producer snapshot", (*dump).producers}},
		{name == "leader-epoch-checkpoint", fileReader{"leader epochs", (*dump).epochs}},
		{strings.HasSuffix(name, "-offset-checkpoint"), fileReader{"checkpoint", (*dump).checkpoint}},
		{name == "partition.metadata", fileReader{"topic id", (*dump).partitionMetadata}},
		{name == "meta.properties", fileReader{"identity", (*dump).text}},
		{slices.Contains([]string{".clean-stop", ".kafka_cleanshutdown", "quorum-state"}, name), fileReader{"note", (*dump).text}},
		{journalName.MatchString(name), fileReader{"journal", (*dump).journal}},
		{name == "snapshot", fileReader{"metadata snapshot", (*dump).metadataSnapshot}},
	} {
		if k.matches {
			return &k.reader
		}
	}
	return nil
}

// file shows one file. An unknown one is an error only if it was asked for by name.
func (d *dump) file(path string, asked bool) error {
	kind := kindOf(path)
	if kind == nil {
		if asked {
			return usage("The name says what a file is: give it back the one it had in the data directory.", "%s is not a file of a data directory, as far as its name tells", path)
		}
		return nil
	}
	if !d.app.json() {
		fmt.Fprintf(d.out, "%s: %s\n", path, kind.name)
	}
	return kind.show(d, path)
}

// emit writes one item.
func (d *dump) emit(i item) error {
	if d.app.json() {
		return jsonLine(d.out, i)
	}
	_, err := fmt.Fprintf(d.out, "  %s\n", i.line())
	return err
}

// fault is something that is not as it should be.
type fault struct {
	Kind  string `json:"kind"` // fault
	File  string `json:"file"`
	At    int64  `json:"at"` // position in the file; -1: all of it
	Fault string `json:"fault"`
}

func (f fault) line() string {
	if f.At < 0 {
		return "DAMAGED: " + f.Fault
	}
	return fmt.Sprintf("DAMAGED at %d: %s", f.At, f.Fault)
}

func (d *dump) fault(path string, at int64, format string, args ...any) error {
	d.damaged = true
	return d.emit(fault{"fault", path, at, fmt.Sprintf(format, args...)})
}

// remark says something about a file that is no fault.
type remark struct {
	Kind   string `json:"kind"` // remark
	File   string `json:"file"`
	Remark string `json:"remark"`
}

func (r remark) line() string { return r.Remark }

func (d *dump) remark(path, format string, args ...any) error {
	return d.emit(remark{"remark", path, fmt.Sprintf(format, args...)})
}

// maxWhole bounds a file that is read as a whole: an index of a segment at its largest, a snapshot of a large cluster.
const maxWhole = 1 << 30

// whole reads a file into memory.
func (d *dump) whole(path string) ([]byte, error) {
	f, err := d.fs.OpenRead(path)
	if err != nil {
		return nil, failed(err, "", "cannot read %s: %v", path, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size > maxWhole {
		return nil, failed(err, "", "cannot read %s: %d bytes are too many for a file of its kind", path, size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, failed(err, "", "cannot read %s: %v", path, err)
	} else {
		return b[:n], nil
	}
}
