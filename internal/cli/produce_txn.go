package cli

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// checkTransaction refuses what cannot be part of one transaction.
func (p *produce) checkTransaction() error {
	switch {
	case p.txn == "":
		return nil
	case p.resend != "" || p.onError != "fail":
		return usage("Leave --on-error and --resend out.", "a transaction is all of its records, or nothing: records that cannot be sent end it")
	case p.acks != "" && p.acks != "all" && p.acks != "-1":
		return usage("Leave --acks out.", "the records of a transaction need acks=all")
	}
	return nil
}

// begin begins the transaction, if there is to be one.
func (s *sender) begin() error {
	if s.transaction == "" {
		return nil
	}
	if err := s.client.BeginTransaction(); err != nil {
		return s.client.explain(err, "begin a transaction of "+s.transaction)
	}
	return nil
}

// end commits the transaction where all of the input was sent and acked, and aborts it where not. It gives the error that
// kept what was to be committed from it.
func (s *sender) end(ctx context.Context) error {
	if s.transaction == "" {
		return nil
	}
	s.mu.Lock()
	whole := s.finished && s.first == nil && ctx.Err() == nil
	s.mu.Unlock()
	ctx, cancel := s.client.bounded(context.WithoutCancel(ctx))
	defer cancel()
	if err := s.client.EndTransaction(ctx, kgo.TransactionEndTry(whole)); err != nil {
		doing := "abort"
		remedy := "It is aborted when its time-out has passed: `holdfast txn describe " + s.transaction + "`."
		if whole {
			doing, remedy = "commit", "Whether it was is not known: see `holdfast txn describe "+s.transaction+"`. If it is Ongoing it is aborted when its time-out has passed."
		}
		return failed(err, remedy, "could not %s the transaction of %s: %s", doing, s.transaction, kafkaError(err))
	}
	if whole {
		s.app.notice("the transaction of %s is committed", s.transaction)
	} else {
		s.app.notice("the transaction of %s is aborted: readers of committed records see none of it", s.transaction)
	}
	return nil
}
