package pickleproto

import (
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Structs that are dicts.

func saveStructValue(e *encoder, p *savePlan, v reflect.Value) error {
	return e.saveStruct(p, v, e.freshIndex())
}

func (e *encoder) beginDict(index uint32) {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyDict)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpDict)
	}
	e.memoPut(index)
}

// entries writes the opcodes around n keys and values, in batches as batchDictExact.
func (e *encoder) entries(n int, entry func(i int) error) error {
	switch {
	case n == 0:
		return nil
	case n == 1 || !e.bin:
		for i := range n {
			if err := entry(i); err != nil {
				return err
			}
			e.buf = append(e.buf, wire.OpSetItem)
		}
		return nil
	}
	for i := 0; ; {
		e.buf = append(e.buf, wire.OpMark)
		end := min(n, i+batchSize)
		full := end-i == batchSize
		for ; i < end; i++ {
			if err := entry(i); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, wire.OpSetItems)
		if !full {
			return nil
		}
	}
}

func (e *encoder) saveStruct(p *savePlan, v reflect.Value, index uint32) error {
	if p.fields.err != nil {
		return p.fields.err
	}
	e.beginDict(index)
	if err := e.enter(); err != nil {
		return err
	}
	fields := p.fields.fields
	n := len(fields)
	var present []int
	if p.omits {
		present = make([]int, 0, n)
		for i := range fields {
			if fv, ok := fields[i].find(v); ok && !fields[i].omit(fv) {
				present = append(present, i)
			}
		}
		n = len(present)
	}
	err := e.entries(n, func(i int) error {
		if present != nil {
			i = present[i]
		}
		f := &fields[i]
		if err := e.saveKeyStr(f.name); err != nil {
			return err
		}
		fv, _ := f.find(v)
		if err := e.saveReflect(p.plans[i], fv); err != nil {
			return under(err, step{kind: stepValue, key: f.name})
		}
		return nil
	})
	e.depth--
	return err
}

// saveKeyStr is save for a str.
func (e *encoder) saveKeyStr(s string) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if e.c.persistentID != nil {
		return e.save(s)
	}
	return e.saveStr(s)
}
