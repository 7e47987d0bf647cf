package main

import (
	"fmt"

	"github.com/IBM/sarama"
)

// transact writes the lines in transactions of five, each of which is committed but every third. It prints how many
// records it committed.
func transact(bootstrap string, lines []line) error {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Transaction.ID = "sarama"
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Errors, c.Producer.Return.Successes = true, true
	c.Net.MaxOpenRequests = 1
	p, err := sarama.NewSyncProducer([]string{bootstrap}, c)
	if err != nil {
		return err
	}
	committed := 0
	for n := 0; len(lines) > 0; n++ {
		some := lines[:min(5, len(lines))]
		lines = lines[len(some):]
		if err := p.BeginTxn(); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		for _, l := range some {
			m := &sarama.ProducerMessage{Topic: l.Topic, Key: sarama.ByteEncoder(l.Key), Value: sarama.ByteEncoder(l.Value)}
			if _, _, err := p.SendMessage(m); err != nil {
				return fmt.Errorf("send: %w", err)
			}
		}
		if n%3 == 0 {
			if err := p.AbortTxn(); err != nil {
				return fmt.Errorf("abort: %w", err)
			}
			continue
		}
		if err := p.CommitTxn(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		committed += len(some)
	}
	fmt.Printf("{\"count\":%d}\n", committed)
	return p.Close()
}
