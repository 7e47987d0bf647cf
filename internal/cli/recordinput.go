package cli

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxLineBytes bounds one line of input; a record cannot be larger than a broker takes anyway.
const maxLineBytes = 128 << 20

// recordInput reads the records to send, one a line.
type recordInput struct {
	in           *bufio.Reader
	format       string // line, json or hex
	keySeparator string // "": no keys
	null         string // a value (or key) that stands for null; only if nullSet
	nullSet      bool
	headers      []kgo.RecordHeader
	line         int64
}

// inputFormats are the forms that produce reads.
func inputFormats() []string { return []string{"line", "json", "hex"} }

// next returns the next record, or io.EOF. The record owns its bytes.
func (r *recordInput) next() (*kgo.Record, error) {
	text, err := r.readLine()
	if err != nil {
		return nil, err
	}
	r.line++
	var rec *kgo.Record
	switch r.format {
	case "json":
		var j recordJSON
		if j, err = parseRecordJSON(text); err == nil {
			rec = j.record()
		}
	default:
		rec, err = r.split(text)
	}
	if err != nil {
		return nil, usage("", "line %d of the input: %v", r.line, err)
	}
	rec.Headers = append(rec.Headers, r.headers...)
	return rec, nil
}

// split cuts a line into key and value.
func (r *recordInput) split(text []byte) (*kgo.Record, error) {
	rec := &kgo.Record{Partition: -1}
	value := text
	if r.keySeparator != "" {
		key, rest, found := bytes.Cut(text, []byte(r.keySeparator))
		if !found {
			return nil, fmt.Errorf("no key: %q is not in it", r.keySeparator)
		}
		var err error
		if rec.Key, err = r.bytes(key); err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		value = rest
	}
	var err error
	if rec.Value, err = r.bytes(value); err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return rec, nil
}

func (r *recordInput) bytes(text []byte) ([]byte, error) {
	if r.nullSet && string(text) == r.null {
		return nil, nil
	}
	if r.format == "hex" {
		raw := make([]byte, hex.DecodedLen(len(text)))
		n, err := hex.Decode(raw, text)
		return raw[:n], err
	}
	return bytes.Clone(text), nil
}

// readLine returns a line without its end. A last line without a newline counts; a CR before the newline is dropped
// in text, where it is the end of a line written on Windows.
func (r *recordInput) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line)+len(part) > maxLineBytes {
			return nil, usage("", "line %d of the input is longer than %d bytes", r.line+1, maxLineBytes)
		}
		if err == nil && line == nil {
			return trimEnd(part), nil
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return trimEnd(line), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// parseHeaders reads KEY=VALUE flags; a key may repeat, as in Kafka.
func parseHeaders(flags []string) ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	for _, h := range flags {
		key, value, ok := strings.Cut(h, "=")
		if !ok || key == "" {
			return nil, usage("Write --header KEY=VALUE.", "%q is not a header with a value", h)
		}
		headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return headers, nil
}
