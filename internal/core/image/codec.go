package image

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// The two things that hold records: a batch, which is one entry of the metadata log, and a snapshot. Both are drawn
// in docs/format/metadata.md.
const (
	formatBatch    = 0x01
	formatSnapshot = 0x81
)

// VersionError says that the metadata log holds something this build is too old to read.
type VersionError struct {
	What  string // "record type 12", "version 3 of record partition", "format 0x02"
	Level int16  // the metadata level of the build that wrote it, or 0 where that is not known
}

func (e *VersionError) Error() string {
	by := "a newer holdfast"
	if e.Level > 0 {
		by = fmt.Sprintf("a holdfast with metadata level %d (this one has %d)", e.Level, MetadataVersion)
	}
	return fmt.Sprintf("the cluster's metadata holds %s, written by %s: start this node with that version or a later one", e.What, by)
}

// AppendBatch writes records as one entry of the metadata log.
func AppendBatch(dst []byte, records []Record) []byte {
	dst = append(dst, formatBatch)
	dst = kbin.AppendInt16(dst, MetadataVersion)
	return appendRecords(dst, records)
}

// DecodeBatch reads what AppendBatch wrote. A [*VersionError] means that a newer build wrote it.
func DecodeBatch(b []byte) ([]Record, error) {
	r := reader{kbin.Reader{Src: b}}
	if f := r.Int8(); r.Ok() && byte(f) != formatBatch {
		return nil, &VersionError{What: fmt.Sprintf("a batch of format 0x%02x", byte(f))}
	}
	records, err := decodeRecords(&r, r.Int16())
	if err != nil {
		return nil, fmt.Errorf("metadata batch of %d bytes: %w", len(b), err)
	}
	return records, nil
}

// Snapshot appends the image in its canonical form: two images with the same content and offset give the same bytes.
func (i *Image) Snapshot(dst []byte) []byte {
	dst = append(dst, formatSnapshot)
	dst = kbin.AppendInt16(dst, MetadataVersion)
	dst = kbin.AppendInt64(dst, i.offset)
	return appendRecords(dst, i.records())
}

// Load reads what Snapshot wrote. A [*VersionError] means that a newer build wrote it.
func Load(b []byte) (*Image, error) {
	r := reader{kbin.Reader{Src: b}}
	if f := r.Int8(); r.Ok() && byte(f) != formatSnapshot {
		return nil, &VersionError{What: fmt.Sprintf("a snapshot of format 0x%02x", byte(f))}
	}
	level, offset := r.Int16(), r.Int64()
	records, err := decodeRecords(&r, level)
	if err != nil {
		return nil, fmt.Errorf("metadata snapshot of %d bytes: %w", len(b), err)
	}
	return Empty().Apply(offset, records), nil
}

// records is the image as the records that make it, in their canonical order.
func (i *Image) records() []Record {
	records := make([]Record, 0, 8+i.topics.len+i.partitions+i.brokers.len)
	if i.clusterID != "" {
		records = append(records, &FormationRecord{ClusterID: i.clusterID})
	}
	for name, level := range i.features.all() {
		records = append(records, &FeatureRecord{Name: string(name), Level: level})
	}
	for _, b := range i.brokers.all() {
		records = append(records, &BrokerRecord{Broker: *b})
	}
	for name, configs := range i.brokerConfigs.all() {
		records = appendConfigs(records, ResourceBroker, string(name), configs)
	}
	for name, configs := range i.groupConfigs.all() {
		records = appendConfigs(records, ResourceGroup, string(name), configs)
	}
	for _, t := range i.topics.all() {
		records = append(records, &TopicRecord{Name: t.Name, ID: t.ID})
		records = appendConfigs(records, ResourceTopic, t.Name, t.Configs)
		for n, p := range t.Partitions {
			records = append(records, &PartitionRecord{Topic: t.ID, Index: int32(n), Partition: *p})
		}
	}
	if i.nextProducerID > 0 {
		records = append(records, &ProducerIDsRecord{Broker: -1, Epoch: -1, Next: i.nextProducerID})
	}
	return records
}

func appendConfigs(records []Record, resource ResourceType, name string, c *Configs) []Record {
	for key, value := range c.All() {
		records = append(records, &ConfigRecord{Resource: resource, Name: name, Key: key, Value: &value})
	}
	return records
}

// appendRecords writes a count and, for each record, its length, kind, version, fields and tagged fields.
func appendRecords(dst []byte, records []Record) []byte {
	dst = kbin.AppendUvarint(dst, uint32(len(records)))
	for _, r := range records {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		k := r.kind()
		dst = kbin.AppendUvarint(dst, uint32(k))
		dst = kbin.AppendUvarint(dst, kinds[k].newest)
		dst = r.append(dst)
		dst = kbin.AppendUvarint(dst, 0) // no tagged fields yet
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst
}

func decodeRecords(r *reader, level int16) ([]Record, error) {
	const least = 4 + 3 // length, kind, version, tag count
	n := r.count(least)
	if !r.Ok() {
		return nil, errShort
	}
	records := make([]Record, 0, n)
	for i := range n {
		body := r.Span(int(r.Uint32()))
		if !r.Ok() {
			return nil, fmt.Errorf("record %d of %d: %w", i, n, errShort)
		}
		rec, err := decodeRecord(body, level)
		if err != nil {
			return nil, fmt.Errorf("record %d of %d: %w", i, n, err)
		}
		records = append(records, rec)
	}
	if len(r.Src) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last of %d records: %w", len(r.Src), n, errShort)
	}
	return records, nil
}

func decodeRecord(body []byte, level int16) (Record, error) {
	r := reader{kbin.Reader{Src: body}}
	k, version := kind(r.Uvarint()), r.Uvarint()
	switch {
	case !r.Ok():
		return nil, errShort
	case int(k) >= len(kinds) || kinds[k].make == nil:
		return nil, &VersionError{What: fmt.Sprintf("record %v", k), Level: level}
	case version > kinds[k].newest:
		return nil, &VersionError{What: fmt.Sprintf("version %d of record %v", version, k), Level: level}
	}
	rec := kinds[k].make()
	rec.decode(&r)
	r.skipTags()
	if !r.Ok() || len(r.Src) > 0 {
		return nil, fmt.Errorf("%v: %w", k, errShort)
	}
	return rec, nil
}

// skipTags passes over tagged fields: what a newer build added for those who know it, and others may ignore.
func (r *reader) skipTags() {
	for range r.count(2) {
		r.Uvarint()
		r.Span(r.count(1))
	}
}
