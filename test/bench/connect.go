package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askVersions sends an ApiVersions request and waits for its answer: the first thing any client does.
func askVersions(conn net.Conn) error {
	q := kmsg.NewPtrApiVersionsRequest()
	body := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, q, 1)
	if _, err := conn.Write(body); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:])))
	return err
}

// connections opens connections, each with one request and its answer, 16 at a time; then holds Hold of them, idle,
// until the harness says that it has looked.
func (g *generator) connections(ctx context.Context) (result, error) {
	if err := g.ready(); err != nil {
		return result{}, err
	}
	open, err := g.dial(ctx, g.Connections)
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	if err != nil {
		return result{}, err
	}
	r := result{Records: int64(len(open))}
	g.stop(&r, time.Now())
	if g.Hold <= g.Connections {
		return r, nil
	}
	more, err := g.dial(ctx, g.Hold-g.Connections)
	open = append(open, more...)
	if err != nil {
		return result{}, err
	}
	return r, g.looked()
}

// looked says ready once more and waits for the harness.
func (g *generator) looked() error {
	if _, err := fmt.Fprintln(g.out, readyLine); err != nil {
		return err
	}
	_, err := g.in.ReadString('\n')
	return err
}

func (g *generator) dial(ctx context.Context, n int) ([]net.Conn, error) {
	const atATime = 16
	var (
		mu   sync.Mutex
		open []net.Conn
		errs error
		all  sync.WaitGroup
		todo = make(chan struct{}, n)
	)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	for range atATime {
		all.Go(func() {
			for range todo {
				conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", g.Address)
				if err == nil {
					err = askVersions(conn)
				}
				mu.Lock()
				if conn != nil {
					open = append(open, conn)
				}
				errs = errors.Join(errs, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return open, errs
}

// topics creates topics of one partition, 1000 in a request, and waits until all are led.
func (g *generator) topics(ctx context.Context) (result, error) {
	const inOne = 1000
	cl, err := g.client()
	if err != nil {
		return result{}, err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	admin.SetTimeoutMillis(120_000)
	if err := g.ready(); err != nil {
		return result{}, err
	}
	n := int(g.Records)
	for first := 0; first < n; first += inOne {
		var names []string
		for i := first; i < min(first+inOne, n); i++ {
			names = append(names, fmt.Sprintf("%s-%05d", g.Topic, i))
		}
		created, err := admin.CreateTopics(ctx, 1, 1, nil, names...)
		if err == nil {
			err = created.Error()
		}
		if err != nil {
			return result{}, err
		}
	}
	if err := g.awaitLeaders(ctx, admin, n, g.Topic); err != nil {
		return result{}, err
	}
	r := result{Records: int64(n)}
	g.stop(&r, time.Now())
	return r, nil
}
