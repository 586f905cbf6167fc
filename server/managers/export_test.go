package managers

// Getters is the number of those who wait in Get.
func Getters(q *Queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.getters.list)
}
