package managers

import (
	"context"

	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// Getters is the number of those who wait in Get.
func Getters(q *Queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.getters.list)
}

// Direct reports whether a request would take the direct way.
func (m *Manager) Direct(data []byte) bool {
	c := call{m: m}
	ok := c.directly(data)
	if ok {
		c.direct.free()
	}
	return ok
}

// Converse serves one connection.
func (m *Manager) Converse(ctx context.Context, tc transport.Conn) error {
	m.server()
	return m.serveConn(ctx, tc)
}

// ID is what requests call the object.
func ID(p *Proxy) string { return p.o.id }

// NewArray is Array of SyncManager's.
func NewArray(typecode string, items ...any) *List {
	l, err := newArray(typecode, items)
	if err != nil {
		panic(err)
	}
	return l
}
