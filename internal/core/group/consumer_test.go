package group

import "github.com/twmb/franz-go/pkg/kmsg"

func (s *script) consumerRecord(r *ConsumerRecord) string    { return "" }
func (s *script) consumerResponse(resp kmsg.Response) string { return "" }
func (s *script) consumerRequest(a args) kmsg.Request        { return nil }
