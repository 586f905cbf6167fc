package pickleproto

// The depth of what is decoded. As long as no container is fetched from the memo the graph is a
// tree, and heights holds, for each container on the stack, how deep it nests: 0 for all else,
// and above run's top. (With sharing, or when the highest is past the limit, checkDepth has the
// last word.)

// over returns the largest height of stack[at:], where a container takes items from, and
// clears those heights, for the items leave the stack.
func (m *machine) over(at, top int) (h int32) {
	heights := m.heights[at : top+1]
	for i, x := range heights {
		h = max(h, x)
		heights[i] = 0
	}
	m.nested++
	return h
}

// raise gives the container at stack index at the height h, if it is not higher already.
func (m *machine) raise(at int, h int32) {
	if h > m.heights[at] {
		m.heights[at] = h
		m.highest = max(m.highest, h)
	}
}

// settleHeights brings heights up to date after a loadXxx, which may have taken any number of
// items off the stack and pushed one.
func (m *machine) settleHeights(stack []any, top int) int {
	n := len(stack) - 1
	switch {
	case n < 0:
		if top >= 0 {
			clear(m.heights[:top+1])
		}
		return -1
	case top >= n:
		m.raise(n, m.over(n, top)+1)
		return n
	}
	switch typeWord(stack[n]) {
	case typInt64, typString, typFloat64, typBool, typBytes, typGlobal, nil:
		return top
	}
	m.raise(n, 1)
	return n
}
