package pickleproto

import (
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Slices and arrays of Go.

func saveSlice(e *encoder, p *savePlan, v reflect.Value) error { return e.saveSlice(p, v) }

func (e *encoder) saveSlice(p *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	n := v.Len()
	if n == 0 || p.t.Elem().Size() == 0 {
		return e.saveListOf(p, v, n, e.freshIndex())
	}
	index, found := e.goIndex(goIdentity{plan: p, address: v.UnsafePointer(), n: n})
	if found {
		e.memoGet(index)
		return nil
	}
	return e.saveListOf(p, v, n, index)
}

func saveArray(e *encoder, p *savePlan, v reflect.Value) error {
	return e.saveListOf(p, v, v.Len(), e.freshIndex())
}

func (e *encoder) saveListOf(p *savePlan, v reflect.Value, n int, index uint32) error {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyList)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpList)
	}
	e.memoPut(index)
	if n == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	if n == 1 || !e.bin {
		for i := range n {
			if err := e.saveReflect(p.elem, v.Index(i)); err != nil {
				return under(err, step{kind: stepIndex, index: i})
			}
			e.buf = append(e.buf, wire.OpAppend)
		}
		return nil
	}
	items := e.basicItems(v)
	for i := 0; i < n; {
		e.buf = append(e.buf, wire.OpMark)
		end := min(n, i+batchSize)
		if items != nil {
			if err := items(i, end); err != nil {
				return err
			}
		} else {
			for j := i; j < end; j++ {
				if err := e.saveReflect(p.elem, v.Index(j)); err != nil {
					return under(err, step{kind: stepIndex, index: j})
				}
			}
		}
		i = end
		e.buf = append(e.buf, wire.OpAppends)
	}
	return nil
}

// basicItems returns what writes items of the slices that need no reflection, nil for others.
func (e *encoder) basicItems(v reflect.Value) func(from, to int) error {
	if v.Kind() != reflect.Slice || e.c.persistentID != nil {
		return nil
	}
	switch s := v.Interface().(type) {
	case []int:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []int64:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []int32:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []float64:
		return func(from, to int) error {
			for _, f := range s[from:to] {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				e.saveFloat(f)
			}
			return nil
		}
	case []string:
		return func(from, to int) error {
			for i, text := range s[from:to] {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				if err := e.saveStr(text); err != nil {
					return under(err, step{kind: stepIndex, index: from + i})
				}
			}
			return nil
		}
	}
	return nil
}

func saveInts[T int | int32 | int64](e *encoder, s []T) {
	for _, n := range s {
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		e.saveInt(int64(n))
	}
}
