package partition

import "golang.org/x/sync/errgroup"

// crew does jobs on the disk, a few at a time. Where everything is to happen in order, it does each right where it is
// given, so that a simulation repeats exactly.
type crew struct {
	group   errgroup.Group
	inOrder bool
	err     error // in order: the first
}

func newCrew(size int, inOrder bool) *crew {
	c := &crew{inOrder: inOrder}
	c.group.SetLimit(size)
	return c
}

func (c *crew) do(job func() error) {
	if !c.inOrder {
		c.group.Go(job)
	} else if err := job(); c.err == nil {
		c.err = err
	}
}

// wait returns the first error once all jobs are done.
func (c *crew) wait() error {
	if c.inOrder {
		return c.err
	}
	return c.group.Wait()
}
