package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordJSON is a record as produce reads it, consume writes it and a spill directory keeps it. Bytes that are not UTF-8
// are in the …Base64 field instead, so that every record survives the way there and back unchanged. A null key or value
// is JSON null; a missing one is null too.
type recordJSON struct {
	Topic         string       `json:"topic,omitempty"`
	Partition     *int32       `json:"partition,omitempty"`
	Offset        *int64       `json:"offset,omitempty"`
	TimestampMs   *int64       `json:"timestampMs,omitempty"`
	TimestampType string       `json:"timestampType,omitempty"` // create or append
	Key           *string      `json:"key"`
	KeyBase64     []byte       `json:"keyBase64,omitempty"`
	Value         *string      `json:"value"`
	ValueBase64   []byte       `json:"valueBase64,omitempty"`
	Headers       []headerJSON `json:"headers,omitempty"`

	Outcome string `json:"outcome,omitempty"` // in a spill: failed or unknown
	Error   string `json:"error,omitempty"`   // in a spill: why
}

type headerJSON struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
}

// toJSON describes a record that was read.
func toJSON(r *kgo.Record) recordJSON {
	ms := r.Timestamp.UnixMilli()
	j := recordJSON{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset, TimestampMs: &ms}
	switch r.Attrs.TimestampType() {
	case 0:
		j.TimestampType = "create"
	case 1:
		j.TimestampType = "append"
	}
	j.Key, j.KeyBase64 = textOrBytes(r.Key)
	j.Value, j.ValueBase64 = textOrBytes(r.Value)
	for _, h := range r.Headers {
		hj := headerJSON{Key: h.Key}
		hj.Value, hj.ValueBase64 = textOrBytes(h.Value)
		j.Headers = append(j.Headers, hj)
	}
	return j
}

// record makes the record to send. Partition is kept in any case; whether it is obeyed is up to the partitioner.
func (j recordJSON) record() *kgo.Record {
	r := &kgo.Record{Topic: j.Topic, Partition: -1, Key: bytesOf(j.Key, j.KeyBase64), Value: bytesOf(j.Value, j.ValueBase64)}
	if j.Partition != nil {
		r.Partition = *j.Partition
	}
	if j.TimestampMs != nil {
		r.Timestamp = time.UnixMilli(*j.TimestampMs)
	}
	for _, h := range j.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: bytesOf(h.Value, h.ValueBase64)})
	}
	return r
}

// parseRecordJSON reads one line of JSON; a field it does not know is an error, since it may be a misspelt one.
func parseRecordJSON(line []byte) (recordJSON, error) {
	var j recordJSON
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return j, err
	}
	if dec.More() {
		return j, fmt.Errorf("more than one value on the line")
	}
	if j.Key != nil && j.KeyBase64 != nil || j.Value != nil && j.ValueBase64 != nil {
		return j, fmt.Errorf("key and value are given as text or as base64, not both")
	}
	return j, nil
}

func textOrBytes(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

func bytesOf(text *string, raw []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return raw
}
