package managers

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
