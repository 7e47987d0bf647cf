package group

import "holdfast/internal/proto/wire"

// fired handles a timer that is due. What it was armed for may be gone: then it means nothing.
func (t *turn) fired(k TimerKey) {
	if k.Kind == TimerSweep {
		t.sweep()
		return
	}
	if k.Kind == TimerMetadata {
		t.metadataChanged()
		return
	}
	if c := t.s.consumer(k.Group); c != nil {
		t.firedConsumer(c, k)
		return
	}
	known := t.s.classic(k.Group)
	if known == nil {
		return
	}
	g := known.clone()
	switch k.Kind {
	case TimerPending:
		if !g.isPending(k.Member) {
			return
		}
		t.remove(g, k.Member, wire.UnknownMemberID)
		t.maybeComplete(g)
	case TimerSession:
		if !t.expire(g, k.Member) {
			return
		}
	case TimerInitialDelay:
		if g.state != statePreparing || !g.initial {
			return
		}
		t.initialDelay(g)
	case TimerRebalance:
		if g.state != statePreparing {
			return
		}
		t.complete(g)
	case TimerSync:
		if g.state != stateCompleting && g.state != stateStable || g.allSynced() {
			return
		}
		for _, m := range known.members {
			if m.unsynced {
				t.remove(g, m.id, wire.UnknownMemberID)
			}
		}
		t.prepare(g)
	default:
		return
	}
	t.close(g)
}

// expire removes a member that was not heard of. One whose join or sync is parked here is alive as far as anybody can
// tell, unless it is new.
func (t *turn) expire(g *classic, id string) bool {
	m := g.member(id)
	if m == nil || !m.isNew && (m.join != nil || m.sync != nil) {
		return false
	}
	t.remove(g, id, wire.UnknownMemberID)
	t.removed(g)
	return true
}

// initialDelay waits once more if somebody came meanwhile, and at most for the rebalance time-out in all.
func (t *turn) initialDelay(g *classic) {
	if !g.grown || g.remaining <= 0 {
		t.complete(g)
		return
	}
	delay := min(t.s.cfg.InitialRebalanceDelay, g.remaining)
	g.grown = false
	g.remaining -= delay
	t.arm(TimerInitialDelay, g.id, "", delay)
}

// loaded starts the clocks of what the log told of.
func (t *turn) loaded() {
	for _, id := range t.s.ids() {
		gr := t.s.groups[id]
		if gr.classic != nil {
			for _, m := range gr.classic.members {
				t.arm(TimerSession, id, m.id, m.session)
			}
		}
		if gr.consumer != nil {
			t.loadedConsumer(gr.consumer)
		}
	}
	t.sweep()
	t.metadataChanged()
}
