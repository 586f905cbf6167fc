package pickleproto

import (
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
	"math/big"
)

// Loading numbers.

func (m *machine) loadInt(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	v, err := m.parseInt(wire.OpInt, line)
	if err != nil {
		return 0, err
	}
	if n, ok := v.(int64); ok {
		switch {
		case len(line) == 2 && (n == 0 || n == 1):
			v = n == 1 // I00 and I01 are the bools of protocols 0 and 1
		case n != int64(int32(n)):
			v = Int(n)
		}
	}
	m.push(v)
	return next, nil
}

func (m *machine) loadLong(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	if n := len(line); n > 0 && line[n-1] == 'L' {
		line = line[:n-1]
	}
	v, err := m.parseInt(wire.OpLong, line)
	if err != nil {
		return 0, err
	}
	m.push(asLong(v))
	return next, nil
}

// asLong makes a Long of an int that Python 3 would not have written as one.
func asLong(v any) any {
	if n, ok := v.(int64); ok && n == int64(int32(n)) {
		return Long(n)
	}
	return v
}

func (m *machine) loadLong1(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 1)
	if err != nil {
		return 0, err
	}
	return m.decodeLong(data[at:at+n], at+n)
}

func (m *machine) loadLong4(data []byte, i int) (int, error) {
	if len(data)-i >= 4 && data[i+3]&0x80 != 0 {
		return 0, m.fail(m.opAt, "LONG pickle has negative byte count")
	}
	at, n, err := m.counted(data, i, 4)
	if err != nil {
		return 0, err
	}
	return m.decodeLong(data[at:at+n], at+n)
}

func (m *machine) decodeLong(b []byte, next int) (int, error) {
	if len(b) <= 8 {
		n := decodeLong64(b)
		if n == int64(int32(n)) {
			m.push(Long(n))
		} else {
			m.push(m.int(n))
		}
		return next, nil
	}
	if n := int64(len(b)); n > m.c.limits.IntSize {
		return 0, m.failLimit(m.opAt, "int size", uint64(n), uint64(m.c.limits.IntSize))
	}
	m.charge(len(b) + 48)
	v := decodeLongBig(b)
	if v.IsInt64() {
		m.push(asLong(v.Int64()))
	} else {
		m.push(v)
	}
	return next, nil
}

// decodeLong64 reads a little-endian two's complement integer of at most 8 bytes.
func decodeLong64(b []byte) (n int64) {
	for i, x := range b {
		n |= int64(x) << (8 * i)
	}
	if k := len(b); k > 0 && k < 8 {
		n = n << (64 - 8*k) >> (64 - 8*k)
	}
	return n
}

// decodeLongBig is pickle.py's decode_long.
func decodeLongBig(b []byte) *big.Int {
	be := make([]byte, len(b))
	for i, x := range b {
		be[len(b)-1-i] = x
	}
	v := new(big.Int)
	if be[0]&0x80 == 0 {
		return v.SetBytes(be)
	}
	for i := range be {
		be[i] = ^be[i]
	}
	v.SetBytes(be)
	return v.Not(v)
}

func (m *machine) loadFloat(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	f, ok := parseFloat(line)
	if !ok {
		return 0, m.fail(m.opAt, "could not convert string to float")
	}
	m.push(m.float(f))
	return next, nil
}
