package managers

import (
	"fmt"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// object is what a proxy refers to.
type object struct {
	id      string
	typeid  string
	goValue any
	target  target
	cfg     *registerConfig

	// Guarded by table.mu:
	refs    int       // of clients
	pins    int       // of Go code
	kept    bool      // a pickled proxy of it lies in some other object, for good
	host    string    // of the client that made it
	callers int       // open connections that have called it
	called  bool      // one has
	since   time.Time // callers, or the host's connections, are 0 since then; zero while they are not
}

// exposedNames are the methods that a proxy gets.
func (o *object) exposedNames() []string {
	return o.target.exposed()
}

// table holds the objects. Refs count what clients hold; an object goes at 0 unless it is pinned.
type table struct {
	max     int
	orphans time.Duration

	mu    sync.RWMutex // guards what follows, and the objects' counts
	byID  map[string]*object
	next  uint64
	hosts map[string]int // open connections by host; kept only when orphans is set
	sweep *time.Timer
}

func (t *table) init(limit int, orphans time.Duration) {
	if limit == 0 {
		limit = DefaultMaxObjects
	}
	t.max, t.orphans = limit, orphans
	t.byID = map[string]*object{}
	t.hosts = map[string]int{}
	// Ids begin somewhere else each time, so that one of an earlier process is unknown here.
	t.next = uint64(time.Now().UnixNano())
}

// named is get for an id within a message.
func (t *table) named(id []byte) *object {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[string(id)]
}

func (t *table) get(id string) *object {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// add makes an object known, with one reference.
func (t *table) add(o *object) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.max > 0 && len(t.byID) >= t.max {
		return pickleproto.NewException("MemoryError", fmt.Sprintf("the manager holds %d objects, as many as it may", t.max))
	}
	t.next++
	o.id = fmt.Sprintf("%x", t.next)
	o.refs = 1
	if t.orphans > 0 && t.hosts[o.host] == 0 {
		t.idle(o)
	}
	t.byID[o.id] = o
	return nil
}

// again adds a reference to an object that is known; false if it has gone meanwhile.
func (t *table) again(o *object) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[o.id] != o {
		return false
	}
	o.refs++
	return true
}

func noKey(id string) error { return pickleproto.NewException("KeyError", clip(id)) }

// incref adds a client's reference.
func (t *table) incref(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byID[id]
	if o == nil {
		return noKey(id)
	}
	o.refs++
	return nil
}

// decref takes a client's reference back.
func (t *table) decref(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byID[id]
	if o == nil {
		return noKey(id)
	}
	if o.refs <= 0 {
		if o.pinned() {
			return nil // what keeps it may have been counted by nobody
		}
		return pickleproto.NewException("AssertionError", fmt.Sprintf("Id %s has refcount %d, not 1+", id, o.refs))
	}
	o.refs--
	t.drop(o)
	return nil
}

// drop removes o if nothing refers to it. It is called with mu held.
func (t *table) drop(o *object) {
	if o.refs <= 0 && !o.pinned() {
		delete(t.byID, o.id)
	}
}

func (o *object) pinned() bool { return o.pins > 0 || o.kept }

// pin keeps an object whatever its references, until unpin.
func (t *table) pin(id string) *object {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byID[id]
	if o != nil {
		o.pins++
	}
	return o
}

func (t *table) unpin(o *object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.pins--; t.byID[o.id] == o {
		t.drop(o)
	}
}

// keep keeps an object for good, as Python's server keeps one that a proxy in another object
// refers to.
func (t *table) keep(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.byID[id]; o != nil {
		o.kept = true
	}
}

// count is the number of objects that clients refer to.
func (t *table) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for _, o := range t.byID {
		if o.refs > 0 {
			n++
		}
	}
	return n
}

// The rest is for OrphanTimeout.

func (t *table) connected(host string) {
	if t.orphans <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts[host]++; t.hosts[host] == 1 {
		for _, o := range t.byID {
			if !o.called && o.host == host {
				o.since = time.Time{}
			}
		}
	}
}

func (t *table) disconnected(host string, called map[*object]struct{}) {
	if t.orphans <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for o := range called {
		if o.callers--; o.callers == 0 {
			t.idle(o)
		}
	}
	if t.hosts[host]--; t.hosts[host] <= 0 {
		delete(t.hosts, host)
		for _, o := range t.byID {
			if !o.called && o.host == host {
				t.idle(o)
			}
		}
	}
}

// calledBy notes that one more connection calls o.
func (t *table) calledBy(o *object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o.callers++
	o.called, o.since = true, time.Time{}
}

// idle starts o's time. It is called with mu held.
func (t *table) idle(o *object) {
	o.since = time.Now()
	if t.sweep == nil {
		t.sweep = time.AfterFunc(t.orphans, t.collect)
	}
}

// collect lets go of what has been idle for too long.
func (t *table) collect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep = nil
	wait := time.Duration(-1)
	for _, o := range t.byID {
		if o.since.IsZero() {
			continue
		}
		left := t.orphans - time.Since(o.since)
		if left <= 0 {
			o.refs, o.since = 0, time.Time{}
			t.drop(o)
		} else if wait < 0 || left < wait {
			wait = left
		}
	}
	if wait >= 0 {
		t.sweep = time.AfterFunc(wait, t.collect)
	}
}
