package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing tuples.

func (e *encoder) saveTuple(t Tuple) error {
	if len(t) == 0 {
		e.emptyTuple()
		return nil
	}
	place, index, found := e.memo.look(tupleAddress(t), memoTag(len(t), kindTuple))
	if found {
		e.memoGet(index)
		return nil
	}
	if !e.shortTuple(t) {
		e.buf = append(e.buf, wire.OpMark)
	}
	return e.saveTupleFrom(t, 0, place)
}

// shortTuple reports whether t is written without a MARK.
func (e *encoder) shortTuple(t Tuple) bool { return len(t) <= 3 && e.proto >= 2 }

// saveTupleFrom writes the items of a tuple from the ith on, and its end. place is where the memo did not have it.
func (e *encoder) saveTupleFrom(t Tuple, i int, place memoPlace) error {
	if err := e.enter(); err != nil {
		return err
	}
	err := e.saveItems(t[i:])
	e.depth--
	if err != nil {
		return err
	}
	short := e.shortTuple(t)
	index, found := e.memo.addAt(place, tupleAddress(t), memoTag(len(t), kindTuple))
	if found { // a tuple that contains itself: recursion has written it meanwhile
		switch {
		case short:
			for range t {
				e.buf = append(e.buf, wire.OpPop)
			}
		case e.bin:
			e.buf = append(e.buf, wire.OpPopMark)
		default:
			for range len(t) + 1 {
				e.buf = append(e.buf, wire.OpPop)
			}
		}
		e.memoGet(index)
		return nil
	}
	if short {
		e.buf = append(e.buf, wire.OpTuple1+byte(len(t)-1))
	} else {
		e.buf = append(e.buf, wire.OpTuple)
	}
	e.memoPut(index)
	return nil
}

// plainTuple is the length up to which tuples are written by saveTuples itself, whose items take plainItem bytes at most.
const plainTuple = 16

// saveTuples writes the tuples that items begins with, one at least, at protocol 4 and without a hook. In a message with a
// memo so large that a glance tells what is new, tuples and strs that are, and not long, are written here, without a call;
// and so are numbers.
func (e *encoder) saveTuples(items []any) (done int, err error) {
	memo := &e.memo
	buf := e.buf
	for memo.lazy && done < len(items) && typeWord(items[done]) == typTuple {
		t := items[done].(Tuple)
		most := 3 + plainItem*len(t)
		if uint(len(t)-1) >= plainTuple || len(buf)+most > min(cap(buf), e.frameLimit) || len(memo.ids)+len(t) >= memo.limit || e.depth >= e.c.limits.Depth {
			break
		}
		address := tupleAddress(t)
		chunk := memo.seen.home(address)
		if !chunk.has(address) {
			chunk = memo.seen.open(address)
		}
		word := chunk.word(address)
		if memo.seen.words[word]&bitOf(address) != 0 || uint64(address)>>addressBits != 0 {
			break
		}
		to := buf[len(buf) : len(buf)+most]
		n := 0
		if len(t) > 3 {
			to[0] = wire.OpMark
			n = 1
		}
		i := 0
	items:
		for ; i < len(t); i++ {
			v := t[i]
			switch typeWord(v) {
			case typInt64:
				x := v.(int64)
				switch {
				case uint64(x) <= 0xff:
					to[n], to[n+1] = wire.OpBinInt1, byte(x)
					n += 2
				case uint64(x) <= 0xffff:
					to[n], to[n+1], to[n+2] = wire.OpBinInt2, byte(x), byte(x>>8)
					n += 3
				case x == int64(int32(x)):
					to[n] = wire.OpBinInt
					binary.LittleEndian.PutUint32(to[n+1:], uint32(x))
					n += 5
				default:
					break items
				}
			case typFloat64:
				to[n] = wire.OpBinFloat
				binary.BigEndian.PutUint64(to[n+1:], math.Float64bits(v.(float64)))
				n += 9
			case nil:
				to[n] = wire.OpNone
				n++
			case typString:
				text := textBytes(v.(string))
				address := stringAddress(v.(string))
				if uint(len(text)-4) > plainText-4 || uint64(address)>>addressBits != 0 {
					break items
				}
				chunk := memo.seen.home(address)
				if !chunk.has(address) {
					chunk = memo.seen.open(address)
				}
				seen := &memo.seen.words[chunk.word(address)]
				if *seen&bitOf(address) != 0 {
					break items
				}
				to := to[n : n+plainItem]
				if m := len(text); m >= 8 {
					x, y := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[m-8:])
					if (x|y)&highBits != 0 {
						break items
					}
					binary.LittleEndian.PutUint64(to[2:], x)
					binary.LittleEndian.PutUint64(to[m-6:], y)
				} else {
					x, y := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[m-4:])
					if (x|y)&(highBits&math.MaxUint32) != 0 {
						break items
					}
					binary.LittleEndian.PutUint32(to[2:], x)
					binary.LittleEndian.PutUint32(to[m-2:], y)
				}
				to[0], to[1], to[len(text)+2] = wire.OpShortBinUnicode, byte(len(text)), wire.OpMemoize
				n += len(text) + 3
				*seen |= bitOf(address)
				memo.push(idOf(address, memoTag(len(text), kindString)))
			default:
				break items
			}
		}
		if i < len(t) {
			e.buf = buf[:len(buf)+n]
			if err := e.saveTupleFrom(t, i, memoPlace{slot: uint64(word), size: inSet}); err != nil {
				return 0, err
			}
			buf = e.buf
		} else {
			to := to[n : n+2]
			if to[0] = wire.OpTuple; len(t) <= 3 {
				to[0] = wire.OpTuple1 + byte(len(t)-1)
			}
			to[1] = wire.OpMemoize
			memo.seen.words[word] |= bitOf(address)
			memo.push(idOf(address, memoTag(len(t), kindTuple)))
			buf = buf[:len(buf)+n+2]
		}
		done++
	}
	if done == 0 {
		return 1, e.saveTuple(items[0].(Tuple))
	}
	e.buf = buf
	return done, nil
}

func (e *encoder) emptyTuple() {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyTuple)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpTuple)
	}
}

// closeTuple ends a fresh tuple of n items, 1 to 3; below protocol 2 a MARK was written before them.
func (e *encoder) closeTuple(n int) {
	if e.proto >= 2 {
		e.buf = append(e.buf, wire.OpTuple1+byte(n-1))
	} else {
		e.buf = append(e.buf, wire.OpTuple)
	}
	e.memoSkip()
}
