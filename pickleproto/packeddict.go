package pickleproto

// packedEntries holds the entries of a long dict whose keys are strs and whose values are all ints
// or all floats, without a box for each. What packed is for a list this is for a dict: an entry is
// boxed where it lies when it is asked for, and who changes the dict gives it boxes first.
type packedEntries struct {
	keys   []string
	ints   []int64   // beside keys, or nil
	floats []float64 // if these are
}

func (p *packedEntries) key(i int) any { return boxString(&p.keys[i]) }

func (p *packedEntries) value(i int) any {
	if p.ints != nil {
		return boxInt(&p.ints[i])
	}
	return boxFloat(&p.floats[i])
}

// room is how many entries there is memory for.
func (p *packedEntries) room() int { return cap(p.keys) }

// grow makes memory for n entries.
func (p *packedEntries) grow(n int) {
	p.keys = append(make([]string, 0, n), p.keys...)
	if p.ints != nil {
		p.ints = append(uncleared[int64](n), p.ints...)
	} else {
		p.floats = append(uncleared[float64](n), p.floats...)
	}
}

// truncate drops the entries from n on.
func (p *packedEntries) truncate(n int) {
	p.keys = p.keys[:n]
	if p.ints != nil {
		p.ints = p.ints[:n]
	} else {
		p.floats = p.floats[:n]
	}
}

// packedOf returns the packed entries of a table, or nil.
func (t *keyTable) packedOf() *packedEntries {
	if t == nil || t.index == nil {
		return nil
	}
	return t.index.packed
}

// places is how many places for keys there are, those of deleted ones included.
func (t *keyTable) places() int {
	if p := t.packedOf(); p != nil {
		return len(p.keys)
	}
	return len(t.keys)
}

// at returns the key at place i.
func (t *keyTable) at(i int) any {
	if p := t.packedOf(); p != nil {
		return p.key(i)
	}
	return t.keys[i]
}

// value returns the value at place i.
func (d *Dict) value(i int) any {
	if p := d.t.packedOf(); p != nil {
		return p.value(i)
	}
	return d.values[i]
}

// unpack gives a packed dict, which is to be changed, boxes. Its index remains.
func (d *Dict) unpack() {
	p := d.t.packedOf()
	if p == nil {
		return
	}
	n := len(p.keys)
	keys, values := make([]any, n), make([]any, n)
	for i := range n {
		keys[i], values[i] = p.key(i), p.value(i)
	}
	d.t.keys, d.values, d.t.index.packed = keys, values, nil
}
