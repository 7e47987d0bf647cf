package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// variant is a way to run a row on a system.
type variant struct {
	name   string
	system string
	topic  map[string]string // settings of the row's topic
}

var (
	ours         = variant{"holdfast", "holdfast", nil}
	oursUnsynced = variant{"holdfast unsynced", "holdfast", map[string]string{"commit.sync": "false"}}
	theirs       = variant{"kafka", "kafka", nil}
	theirsTuned  = variant{"kafka tuned", "kafka tuned", nil}
	theirsSynced = variant{"kafka synced", "kafka", map[string]string{"flush.messages": "1"}}
)

// session is one round of one row on one system: a broker of its own on a folder of its own.
type session struct {
	*bench
	*broker
	topics int
	what   string // is measured now
}

// newTopic is a name that this session did not use before.
func (s *session) newTopic() string {
	s.topics++
	return fmt.Sprintf("bench-%d", s.topics)
}

// restart starts the broker anew on the same folder and port.
func (s *session) restart(ctx context.Context) error {
	b, err := s.broker.system.start(ctx, s.dir, s.address)
	if err == nil {
		s.broker = b
	}
	return err
}

// driven is a load generator that runs.
type driven struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	wrong *strings.Builder // what it printed as errors
}

// drive starts a load generator and returns when it is ready.
func (s *session) drive(ctx context.Context, w work) (*driven, error) {
	w.Address = s.address
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &driven{cmd: exec.CommandContext(ctx, self, "-generate"), wrong: &strings.Builder{}}
	d.cmd.Stderr = d.wrong
	dieWithParent(d.cmd)
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewReader(out)
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(d.in).Encode(w); err != nil {
		return nil, d.failed(err)
	}
	return d, d.awaitReady()
}

func (d *driven) awaitReady() error {
	line, err := d.out.ReadString('\n')
	if err == nil && strings.TrimSpace(line) != readyLine {
		err = fmt.Errorf("the load generator said %q", line)
	}
	if err != nil {
		return d.failed(err)
	}
	return nil
}

// say sends the word that the generator waits for.
func (d *driven) say(word string) error {
	_, err := fmt.Fprintln(d.in, word)
	return err
}

// result waits for the answer and the end of the generator.
func (d *driven) result() (result, error) {
	var r result
	line, err := d.out.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &r)
	}
	if err == nil {
		err = d.cmd.Wait()
	}
	if err != nil {
		return r, d.failed(err)
	}
	return r, nil
}

// failed ends the generator and adds what it said to the error.
func (d *driven) failed(err error) error {
	_ = d.cmd.Process.Kill() // it may have ended
	_ = d.cmd.Wait()         // so says its error, which says less than what it printed
	return fmt.Errorf("load generator: %w: %s", err, strings.TrimSpace(d.wrong.String()))
}

// measure has a work done and measures the broker meanwhile.
func (s *session) measure(ctx context.Context, w work) (figures, result, error) {
	d, err := s.drive(ctx, w)
	if err != nil {
		return nil, result{}, err
	}
	settle()
	if err := warmMemory(s.warmBytes); err != nil {
		return nil, result{}, d.failed(err)
	}
	m, err := startMeter(s.pid(), s.device)
	if err == nil {
		err = d.say("go")
	}
	if err != nil {
		return nil, result{}, d.failed(err)
	}
	stopProfile := s.profile(ctx)
	r, err := d.result()
	stopProfile()
	if err != nil {
		return nil, r, err
	}
	if r.Failed > 0 {
		return nil, r, fmt.Errorf("%d records were refused; the first: %s", r.Failed, r.Error)
	}
	f, err := m.stop(r)
	return f, r, err
}

// readBack counts the topic's records and fails where one that was acknowledged is missing.
func (s *session) readBack(ctx context.Context, topic string, acked int64) error {
	d, err := s.drive(ctx, work{Kind: "count", Topic: topic, Records: acked})
	if err == nil {
		err = d.say("go")
	}
	if err != nil {
		return err
	}
	r, err := d.result()
	if err != nil {
		return fmt.Errorf("read back %s: %w", topic, err)
	}
	if r.Records < acked {
		return fmt.Errorf("LOST: %d records of %s were acknowledged and %d are there", acked, topic, r.Records)
	}
	return nil
}

// deleteTopics leaves nothing of a variant to those that come after it on the same broker.
func (s *session) deleteTopics(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.address))
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	details, err := admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(details.Names(), func(name string) bool { return !strings.HasPrefix(name, "bench-") })
	answers, err := admin.DeleteTopics(ctx, names...)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("delete the topics: %w", err)
	}
	return nil
}

// open starts a session: a fresh folder and a broker on it.
func (b *bench) open(ctx context.Context, sys *system) (*session, error) {
	dir, err := os.MkdirTemp(b.temp, sys.name+"-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	br, err := sys.start(ctx, dir, address)
	if err != nil {
		return nil, err
	}
	return &session{bench: b, broker: br}, nil
}

// close ends the broker and removes its folder, unless -keep says otherwise.
func (s *session) close() error {
	err := s.stop()
	if s.keep {
		fmt.Fprintf(s.progress, "    kept: %s\n", filepath.Clean(s.dir))
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
