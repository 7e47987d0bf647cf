package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const offsetsTopic = "__consumer_offsets"

// committer commits for a group of its own, as a consumer that assigns its partitions itself does.
type committer struct {
	client  *kgo.Client
	request *kmsg.OffsetCommitRequest
	offset  int64 // committed last, and acknowledged
}

// newCommitter finds the group's coordinator, sets up the topic of the offsets where that is wanted, and prepares the
// request: one topic, all its partitions.
func (g *generator) newCommitter(ctx context.Context, number int) (*committer, error) {
	cl, err := g.client(kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	c := &committer{client: cl, request: kmsg.NewPtrOffsetCommitRequest()}
	c.request.Group = fmt.Sprintf("%s-%d", g.Topic, number)
	details, err := kadm.NewClient(cl).ListTopics(ctx, g.Topic)
	if err != nil {
		return nil, err
	}
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = g.Topic, details[g.Topic].ID
	for p := range g.Partitions {
		one := kmsg.NewOffsetCommitRequestTopicPartition()
		one.Partition = p
		t.Partitions = append(t.Partitions, one)
	}
	c.request.Topics = append(c.request.Topics, t)
	for limit := time.Now().Add(time.Minute); ; { // the first of all makes the topic
		if err = c.commit(ctx); err == nil || time.Now().After(limit) {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err == nil && number == 0 {
		err = g.configureOffsets(ctx, cl)
	}
	return c, err
}

// configureOffsets sets the variant's settings on the topic that committed offsets are kept in.
func (g *generator) configureOffsets(ctx context.Context, cl *kgo.Client) error {
	var changes []kadm.AlterConfig
	for name, value := range g.Configs {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	if len(changes) == 0 {
		return nil
	}
	answers, err := kadm.NewClient(cl).AlterTopicConfigs(ctx, changes, offsetsTopic)
	for _, a := range answers {
		if err == nil {
			err = a.Err
		}
	}
	if err != nil {
		return fmt.Errorf("set %v on %s: %w", g.Configs, offsetsTopic, err)
	}
	return nil
}

func (c *committer) commit(ctx context.Context) error {
	for i := range c.request.Topics[0].Partitions {
		c.request.Topics[0].Partitions[i].Offset = c.offset + 1
	}
	answer, err := c.request.RequestWith(ctx, c.client)
	if err != nil {
		return err
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	c.offset++
	return nil
}

// checkCommitted fails where an offset that was acknowledged is not there.
func checkCommitted(ctx context.Context, committers []*committer) error {
	for _, c := range committers {
		there, err := kadm.NewClient(c.client).FetchOffsets(ctx, c.request.Group)
		if err != nil {
			return err
		}
		topic := &c.request.Topics[0]
		for _, p := range topic.Partitions {
			if o, ok := there.Lookup(topic.Topic, p.Partition); !ok || o.At != c.offset {
				return fmt.Errorf("LOST: group %s committed %d in partition %d and %d is there", c.request.Group, c.offset, p.Partition, o.At)
			}
		}
	}
	return nil
}
