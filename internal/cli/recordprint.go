package cli

import (
	"encoding/hex"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPrinter returns the function that writes a record in the given format: line, json, hex or a layout.
func recordPrinter(w io.Writer, format string) (func(*kgo.Record) error, error) {
	switch format {
	case "line":
		return func(r *kgo.Record) error { return writeLine(w, r.Value) }, nil
	case "hex":
		return func(r *kgo.Record) error { return writeLine(w, []byte(hex.EncodeToString(r.Value))) }, nil
	case "json":
		return func(r *kgo.Record) error { return jsonLine(w, toJSON(r)) }, nil
	}
	if !strings.Contains(format, "%") {
		return nil, usage(`Use line, json, hex or a layout such as '%p %o %k %v\n'.`, "there is no output format %q", format)
	}
	layout, err := kgo.NewRecordFormatter(format)
	if err != nil {
		return nil, usage(`A layout is text with %t %p %o %k %v %d, and \n for the end of a line.`, "the layout %q cannot be used: %v", format, err)
	}
	var buf []byte
	return func(r *kgo.Record) error {
		buf = layout.AppendRecord(buf[:0], r)
		_, err := w.Write(buf)
		return err
	}, nil
}

func writeLine(w io.Writer, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return err
	}
	_, err := w.Write([]byte{'\n'})
	return err
}
