package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// member is a member of a classic group until SIGTERM. It prints events as Apache Kafka's VerifiableConsumer does.
func member(bootstrap, topic, group string) error {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = time.Second
	c.Consumer.Group.Rebalance.Timeout = 20 * time.Second
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	g, err := sarama.NewConsumerGroup([]string{bootstrap}, group, c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, &reader{topic: topic}); err != nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
			fmt.Fprintln(os.Stderr, "sarama:", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	return g.Close()
}

type reader struct {
	topic string
	mu    sync.Mutex // over the output
}

func (r *reader) say(name string, more map[string]any) {
	e := map[string]any{"timestamp": time.Now().UnixMilli(), "name": name}
	for k, v := range more {
		e[k] = v
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // maps of numbers and strings
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func (r *reader) partitions(name string, s sarama.ConsumerGroupSession) {
	list := []map[string]any{}
	for _, p := range s.Claims()[r.topic] {
		list = append(list, map[string]any{"topic": r.topic, "partition": p})
	}
	r.say(name, map[string]any{"partitions": list})
}

// Setup implements sarama.ConsumerGroupHandler.
func (r *reader) Setup(s sarama.ConsumerGroupSession) error {
	r.partitions("partitions_assigned", s)
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (r *reader) Cleanup(s sarama.ConsumerGroupSession) error {
	r.partitions("partitions_revoked", s)
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler. What the commit came to the library keeps to itself.
func (r *reader) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			r.say("record_data", map[string]any{"topic": m.Topic, "partition": m.Partition, "offset": m.Offset, "value": string(m.Value)})
			s.MarkMessage(m, "")
			if len(claim.Messages()) == 0 {
				s.Commit()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}
