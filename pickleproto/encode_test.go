package pickleproto

import (
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pooled encoder has only what may be kept: nothing of one pickle gets into the next.
func TestPooledEncoderIsEmpty(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one pool for all
	type row struct {
		Name string
		When time.Time
		Next *row
	}
	rows := []*row{{Name: "a", When: time.Now()}, {Name: "b", When: time.Now().In(time.FixedZone("", 3600))}}
	rows[0].Next = rows[1]
	var dicts any
	require.NoError(t, Unmarshal([]byte("](}(\x8c\x01a\x94K\x01\x8c\x01b\x94K\x02u}(h\x00K\x03h\x01K\x04ue."), &dicts))
	object := &Object{How: ByReduce, Callable: Global{Module: "m", Name: "c"}, Args: Tuple{"x"}}
	object.Ops = []Op{{Kind: OpAppends, Items: []any{object, NewList(object)}}}
	deep := any(nil)
	for range DefaultMaxDepth + 1 {
		deep = NewList(deep)
	}
	long := make([]any, 5000)
	for i := range long {
		long[i] = Tuple{int64(i), "text"}
	}
	kept := []string{"scratch", "memo", "names", "globals", "goType", "goPlan"}                 // empty, or of types alone
	anew := []string{"proto", "bin", "hooked", "h", "base", "most", "frameStart", "frameLimit"} // in newEncoder
	budget := NewBudget(1 << 30)
	ids := WithPersistentID(func(v any) (any, bool) { return "id", v == nil })
	for _, v := range []any{dicts, rows, object, deep, NewList(long...), map[string]any{"a": []int{1}, "t": time.Now()}, Global{Module: "m", Name: "n"}, make(chan int)} {
		for _, opts := range [][]Option{nil, {WithProtocol(0)}, {WithBudget(budget), WithProtocol(2)}, {ids}, {WithMemo(new(Memo))}} {
			_, _ = Marshal(v, opts...)
			e := encoders.Get().(*encoder)
			x := reflect.ValueOf(e).Elem()
			for i := range x.NumField() {
				name := x.Type().Field(i).Name
				switch {
				case slices.Contains(anew, name):
				case slices.Contains(kept, name):
				default:
					assert.True(t, x.Field(i).IsZero(), "%T leaves %s", v, name)
				}
			}
			assert.Nil(t, e.h.cache)
			assert.Zero(t, e.memo.len())
			assert.Empty(t, e.memo.wide)
			assert.Empty(t, e.memo.aliases)
			assert.Zero(t, e.memo.foreseen)
			assert.False(t, e.memo.lazy)
			assert.Zero(t, e.memo.indexed)
			assert.Zero(t, e.memo.seen.used())
			assert.Empty(t, e.names)
			assert.Empty(t, e.globals)
			encoders.Put(e)
		}
	}
	assert.Zero(t, budget.Used())
}
