// Command sarama is one end of the matrix in the Go client sarama. The lines it reads and prints are described
// in the doc.go of the folder above. `sarama member BOOTSTRAP TOPIC GROUP` is a member of a group.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/IBM/sarama"
)

type line struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Codec     string   `json:"codec,omitempty"`
	Count     int      `json:"count,omitempty"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

// header is printed as a pair.
type header struct {
	name  string
	value []byte
}

func (h header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.name, h.value}) }

func (h *header) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[2]any{&h.name, &h.value})
}

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func main() {
	err := error(nil)
	if os.Args[1] == "member" {
		err = member(os.Args[2], os.Args[3], os.Args[4])
	} else {
		err = run(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sarama:", err)
		os.Exit(1)
	}
}

func run(verb, bootstrap string) error {
	var lines []line
	for d := json.NewDecoder(os.Stdin); ; {
		var l line
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	switch verb {
	case "transact":
		return transact(bootstrap, lines)
	case "write":
		return write(bootstrap, lines)
	}
	return read(bootstrap, lines)
}

func write(bootstrap string, lines []line) error {
	byCodec := map[string][]*sarama.ProducerMessage{}
	for _, l := range lines {
		m := &sarama.ProducerMessage{Topic: l.Topic, Partition: l.Partition, Timestamp: time.UnixMilli(l.Timestamp)}
		if l.Key != nil {
			m.Key = sarama.ByteEncoder(l.Key)
		}
		if l.Value != nil {
			m.Value = sarama.ByteEncoder(l.Value)
		}
		for _, h := range l.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.name), Value: h.value})
		}
		byCodec[l.Codec] = append(byCodec[l.Codec], m)
	}
	for codec, messages := range byCodec {
		if err := send(bootstrap, codecs[codec], messages); err != nil {
			return fmt.Errorf("write with %s: %w", codec, err)
		}
	}
	return nil
}

func send(bootstrap string, codec sarama.CompressionCodec, messages []*sarama.ProducerMessage) error {
	conf := config()
	conf.Net.MaxOpenRequests = 1
	conf.Producer.Idempotent = true
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Producer.Compression = codec
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.Return.Successes = true
	conf.Producer.Flush.Messages = 50
	conf.Producer.Flush.Frequency = 50 * time.Millisecond
	p, err := sarama.NewSyncProducer([]string{bootstrap}, conf)
	if err != nil {
		return err
	}
	if err := p.SendMessages(messages); err != nil {
		_ = p.Close() // the first error tells more
		return err
	}
	return p.Close()
}

func read(bootstrap string, lines []line) error {
	client, err := sarama.NewConsumer([]string{bootstrap}, config())
	if err != nil {
		return err
	}
	messages, left := make(chan *sarama.ConsumerMessage), 0
	for _, l := range lines {
		pc, err := client.ConsumePartition(l.Topic, l.Partition, 0)
		if err != nil {
			return fmt.Errorf("read %s-%d: %w", l.Topic, l.Partition, err)
		}
		left += l.Count
		go func() {
			for m := range pc.Messages() {
				messages <- m
			}
		}()
	}
	out := bufio.NewWriter(os.Stdout)
	for limit, to := time.After(30*time.Second), json.NewEncoder(out); left > 0; left-- {
		select {
		case m := <-messages:
			if err := to.Encode(received(m)); err != nil {
				return err
			}
		case <-limit:
			return fmt.Errorf("%d records have not come", left)
		}
	}
	return out.Flush() // the process ends here and its readers with it
}

func received(m *sarama.ConsumerMessage) line {
	l := line{
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(),
		Key: m.Key, Value: m.Value, Headers: []header{},
	}
	for _, h := range m.Headers {
		l.Headers = append(l.Headers, header{string(h.Key), h.Value})
	}
	return l
}

func config() *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "interop"
	conf.Version = sarama.V4_1_0_0
	conf.Consumer.MaxWaitTime = 100 * time.Millisecond
	return conf
}
