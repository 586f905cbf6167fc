package literal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// program answers each line, a text in hex, with the pickle of what
// ast.literal_eval reads, or with the name of the exception. With a number as
// argument it first prints the texts of so many random values' reprs.
const program = `
import ast, pickle, random, sys, warnings
warnings.simplefilter('ignore')
r = random.Random(1)
def key(n):
    return r.choice([lambda: r.randrange(-5, 5), lambda: r.random() * 10 ** r.randrange(-20, 20), lambda: text(), lambda: None, lambda: True, lambda: text().encode('utf-8', 'surrogatepass'),
        lambda: complex(r.randrange(3), r.randrange(-3, 3)), lambda: tuple(key(n - 1) for _ in range(r.randrange(3))) if n else ()])()
def text():
    return ''.join(chr(r.choice([r.randrange(32, 127), r.randrange(128), r.randrange(256), r.randrange(0x300), r.randrange(0x110000)])) for _ in range(r.randrange(5)))
def value(n):
    if n == 0: return key(0)
    return r.choice([lambda: key(n), lambda: r.randrange(-2 ** 70, 2 ** 70), lambda: [value(n - 1) for _ in range(r.randrange(4))], lambda: {key(n - 1): value(n - 1) for _ in range(r.randrange(4))},
        lambda: tuple(value(n - 1) for _ in range(r.randrange(4))), lambda: {key(n - 1)}, lambda: set(), lambda: ...])()
for _ in range(int(sys.argv[1])):
    print(repr(value(4)).encode('utf-8', 'surrogatepass').hex())
print('-')
sys.stdout.flush()
for line in sys.stdin:
    try:
        print(pickle.dumps(ast.literal_eval(bytes.fromhex(line).decode('utf-8')), 4).hex())
    except BaseException as e:
        print('!' + type(e).__name__)
`

// eval asks Python about the texts, and for n reprs of random values.
func eval(t *testing.T, py pythontest.Python, texts []string, n int) (answers, reprs []string) {
	var in bytes.Buffer
	for _, text := range texts {
		in.WriteString(hex.EncodeToString([]byte(text)) + "\n")
	}
	cmd := exec.Command(py.Path, "-c", program, fmt.Sprint(n))
	cmd.Stdin = &in
	out, err := cmd.Output()
	require.NoError(t, err)
	first, second, _ := strings.Cut(string(out), "-\n")
	for line := range strings.Lines(first) {
		text, err := hex.DecodeString(strings.TrimSpace(line))
		require.NoError(t, err)
		reprs = append(reprs, string(text))
	}
	answers = strings.Fields(second)
	require.Len(t, answers, len(texts))
	return answers, reprs
}

// compare holds what Parse makes of a text against Python's answer.
func compare(t *testing.T, text, answer string) (accepted bool) {
	v, err := Parse(text)
	if strings.HasPrefix(answer, "!") {
		require.Error(t, err, "Python refuses %q (%s); read as %v", text, answer[1:], v)
		return false
	}
	if err != nil && gap(text) {
		return false
	}
	require.NoError(t, err, "Python reads %q", text)
	pickle, err := hex.DecodeString(answer)
	require.NoError(t, err)
	theirs, err := pickleproto.Native.Decode(pickle)
	require.NoError(t, err)
	require.Equal(t, sorted(theirs), sorted(v), "%q", text)
	require.True(t, pickleproto.Equal(theirs, v), "%q", text) // no literal is nan
	return true
}

// gap are the texts that Parse does not read although Python does.
func gap(text string) bool {
	if strings.Contains(text, `\N{`) {
		return true
	}
	return !utf8.ValidString(text)
}

// sorted is the repr, with its bytes sorted where a set, which has no order,
// may stand in it.
func sorted(v any) string {
	repr := pickleproto.Repr(v)
	if !strings.Contains(repr, "{") {
		return repr
	}
	b := []byte(repr)
	slices.Sort(b)
	return string(b)
}

// mutate changes a text in a few places, mostly to something that means
// something.
func mutate(r *rand.Rand, text string) string {
	const alphabet = "()[]{}:,'\"\\\n\r \t\f#-+.jJeExXoObBuUrRfN_0123456789aTrueset\u00e9\u20ac"
	letters := []rune(alphabet)
	runes := []rune(text)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(runes) + 1)
		c := letters[r.IntN(len(letters))]
		switch r.IntN(4) {
		case 0:
			runes = append(runes[:i:i], append([]rune{c}, runes[i:]...)...)
		case 1:
			if i < len(runes) {
				runes = append(runes[:i:i], runes[i+1:]...)
			}
		case 2:
			if i < len(runes) {
				runes[i] = c
			}
		case 3:
			j := i + r.IntN(len(runes)+1-i)
			runes = append(runes[:j:j], append(append([]rune{}, runes[i:j]...), runes[j:]...)...)
		}
	}
	return string(runes)
}

func TestAgainstPython(t *testing.T) {
	py, ok := pythontest.Newest(3, 11)
	if !ok {
		t.Skip("no Python 3.11 or newer found; the table of TestParse stands in for it")
	}
	var texts []string
	for _, c := range read {
		if utf8.ValidString(c.text) && len(c.text) < 1e5 {
			texts = append(texts, c.text)
		}
	}
	table := len(texts)
	_, reprs := eval(t, py, nil, 3000)
	r := rand.New(rand.NewPCG(1, 2))
	seeds := append([]string{}, texts...)
	seeds = append(seeds, reprs...)
	for _, seed := range reprs {
		if utf8.ValidString(seed) {
			texts = append(texts, seed)
		}
	}
	for range 20_000 {
		if text := mutate(r, seeds[r.IntN(len(seeds))]); utf8.ValidString(text) {
			texts = append(texts, text)
		}
	}
	answers, _ := eval(t, py, texts, 0)
	accepted := 0
	for i, text := range texts {
		if compare(t, text, answers[i]) {
			accepted++
		}
		if i < table && !gap(text) {
			require.Equal(t, read[indexOf(text)].repr == "", strings.HasPrefix(answers[i], "!"), "the table is wrong about %q", text)
		}
	}
	t.Logf("CPython %s: %d texts, of which %d are literals", py, len(texts), accepted)
	require.Greater(t, accepted, 5000)
	require.Less(t, accepted, len(texts)-5000)
}

func indexOf(text string) int {
	for i, c := range read {
		if c.text == text {
			return i
		}
	}
	return -1
}
