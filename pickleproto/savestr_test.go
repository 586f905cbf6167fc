package pickleproto

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
)

// A list of strs that are not boxed is written in loops of its own: as one of boxed strs, whatever their length, their
// characters, the memo, the frames and the room that there is.
func TestStrListsAgainstItemByItem(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	messages, refused := 300, 0
	if quick.Race {
		messages = 30
	}
	for range messages {
		strs := make([]string, 1+r.IntN(9000)>>r.IntN(9))
		odd := 1 << r.IntN(12) // one in so many strs is not as the others
		for i := range strs {
			text := strings.Repeat("abcdefghij", 2)[r.IntN(3):][:7+r.IntN(11)]
			switch r.IntN(3 * odd) {
			case 0:
				text = strings.Repeat("x", r.IntN(300))
			case 1:
				at := r.IntN(len(text) + 1)
				text = text[:at] + "é" + text[at:]
			case 2:
				if i > 0 {
					strs[i] = strs[r.IntN(i)] // the same one
					continue
				}
			}
			strs[i] = strings.Clone(text)
		}
		if r.IntN(3) == 0 {
			at, text := len(strs)-1-r.IntN(len(strs)+1)/2, []byte("twelve bytes")
			text[r.IntN(len(text))] = 0xff
			strs[at] = string(text)
		}
		boxed := make([]any, len(strs))
		for i, s := range strs {
			boxed[i] = s
		}
		protocol := WithProtocol(3 + r.IntN(3))
		for _, limits := range []Limits{{}, {Message: int64(1 + r.IntN(20*len(strs)))}, {Memo: int64(1 + r.IntN(2*len(strs)))}} {
			want, wantErr := Marshal(NewList(boxed...), WithLimits(limits), protocol)
			room := make([]byte, 3, 3+r.IntN(20*len(strs)+100))
			got, err := AppendMarshal(room, NewStringList(strs), WithLimits(limits), protocol)
			if samePickle(t, want, wantErr, got[min(len(got), len(room)):], err) {
				refused++
			}
		}
	}
	assert.Positive(t, refused)
}
