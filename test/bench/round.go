package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measurement is one variant of a row in one round.
type measurement struct {
	Row, Variant string
	Round        int
	Figures      figures
	Error        string `json:",omitempty"`
}

func (m measurement) String() string {
	if m.Error != "" {
		return m.Error
	}
	var s strings.Builder
	for _, name := range []string{toListening, toFirstAck, allIn, oneJoins, oneLeaves, idleCPU, commitsASecond, idleRSS, mbps, cpuPerGB, p50, p99, p999, producerP99, deviceBytes, askedBytes, clientShare, brokerCPU, rssPeak, seconds, others, loadAvg} {
		if v, ok := m.Figures[name]; ok {
			fmt.Fprintf(&s, " %s %.4g ", name, v)
		}
	}
	return s.String()
}

// round measures all variants of a row once. Who goes first changes from round to round.
func (b *bench) round(ctx context.Context, r row, round int) (out []measurement) {
	variants := slices.Clone(r.variants)
	if round%2 == 1 {
		slices.Reverse(variants)
	}
	for len(variants) > 0 && ctx.Err() == nil {
		n := 1 // variants that share a broker
		for !r.alone && n < len(variants) && variants[n].system == variants[0].system {
			n++
		}
		out = append(out, b.together(ctx, r, round, variants[:n])...)
		variants = variants[n:]
	}
	return out
}

// together measures variants on one broker.
func (b *bench) together(ctx context.Context, r row, round int, variants []variant) (out []measurement) {
	note := func(v variant, f figures, err error) {
		m := measurement{Row: r.name, Variant: v.name, Round: round, Figures: f}
		if err != nil {
			m.Error = err.Error()
		}
		out = append(out, m)
	}
	s, err := b.sessionFor(ctx, r, b.systems[variants[0].system])
	if err != nil {
		for _, v := range variants {
			note(v, nil, err)
		}
		return out
	}
	for _, v := range variants {
		s.what = r.name + " " + v.name
		f, err := r.run(ctx, s, v)
		if err == nil && b.shared[s.broker.system.name] == s {
			delete(f, rssPeak) // of a broker that has served other rows before
			err = s.deleteTopics(ctx)
		}
		if err != nil {
			err = fmt.Errorf("%w\nthe broker said: %s", err, s.said())
		}
		note(v, f, err)
	}
	if err := b.done(s, out[len(out)-1]); err != nil {
		out[len(out)-1].Error = errors.Join(errors.New(out[len(out)-1].Error), err).Error()
	}
	return out
}

// sessionFor starts a broker for the row, or gives the one that rows share.
func (b *bench) sessionFor(ctx context.Context, r row, sys *system) (*session, error) {
	if !b.share || r.alone {
		return b.open(ctx, sys)
	}
	if s := b.shared[sys.name]; s != nil {
		return s, nil
	}
	s, err := b.open(ctx, sys)
	if err == nil {
		if b.shared == nil {
			b.shared = map[string]*session{}
		}
		b.shared[sys.name] = s
	}
	return s, err
}

// done closes what the row had for itself. A shared broker in which something went wrong is not used again.
func (b *bench) done(s *session, last measurement) error {
	name := s.broker.system.name
	if b.shared[name] == s {
		if last.Error == "" {
			return nil
		}
		delete(b.shared, name)
	}
	return s.close()
}

func (b *bench) closeShared() {
	for name, s := range b.shared {
		if err := s.close(); err != nil {
			fmt.Fprintf(b.progress, "%s: %v\n", name, err)
		}
	}
}

// profile takes CPU profiles until the returned function is called, each of a second or more, where the broker gives any.
func (s *session) profile(ctx context.Context) (stop func()) {
	if s.http == "" || s.profiles == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		name := filepath.Join(s.profiles, strings.NewReplacer(" ", "-", "/", "").Replace(s.what)+".pprof")
		if err := s.takeProfile(ctx, name, 3*time.Second); err != nil && ctx.Err() == nil {
			fmt.Fprintf(s.progress, "no profile: %v\n", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (s *session) takeProfile(ctx context.Context, name string, d time.Duration) error {
	if err := os.MkdirAll(s.profiles, 0o755); err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.http, int(d.Seconds())), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	bytes, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(name, bytes, 0o644)
}
