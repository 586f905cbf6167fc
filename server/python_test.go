package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decimals are Decimals whose sum with 1 meets each of the context's rules.
func decimals() []string {
	out := []string{
		"0", "-0", "1", "-1", "1.5", "-1.00", "0.1", "1E+3", "1E+27", "1E+28", "1E+29", "-1E+40", "1E-27", "1E-28", "1E-29", "1E-100",
		"-1E-28", "-1E-29", "-1E-60", "0E+5", "0E-5", "0E-40", "-0E-3", "9999999999999999999999999999", "99999999999999999999999999999",
		"9999999999999999999999999998.5", "9999999999999999999999999999.5", "-9999999999999999999999999999.5",
		"0.00000001", "1E-7", "-0.9999999", "NaN", "-NaN", "Infinity", "-Infinity", "123456789012345678901234567890123456789.5",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		digits := ""
		for range 1 + r.IntN(35) {
			digits += fmt.Sprint(r.IntN(10))
		}
		sign := ""
		if r.IntN(2) == 0 {
			sign = "-"
		}
		out = append(out, fmt.Sprintf("%s%sE%+d", sign, digits, r.IntN(80)-50))
	}
	return out
}

// increment sends one number, as the class of that name made of a text, and returns what the sum
// is made of.
func increment(t *testing.T, r *running, module, name, text string) string {
	o := &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: module, Name: name}, Args: pickleproto.Tuple{text},
	}
	answer, ok := loads(t, r.ask(dumps(t, numbers(t, o), 4))).(*pickleproto.Dict)
	require.True(t, ok, text)
	list, _ := answer.Get("numbers")
	sum := list.(*pickleproto.List).At(0).(*pickleproto.Object)
	return sum.Args.(pickleproto.Tuple)[0].(string)
}

// sum is what a number plus 1 is in Python.
type sum struct{ class, number, sum string }

func parseSums(t *testing.T, text []byte) (sums []sum) {
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		require.Len(t, f, 3, line)
		sums = append(sums, sum{f[0], f[1], f[2]})
	}
	return sums
}

// testdata/sums.txt is what CPython 3.13 said. With PICKLEBRIDGE_WRITE_SUMS set it is written anew.
func TestDecimalsAndFractions(t *testing.T) {
	const file = "testdata/sums.txt"
	var numbers strings.Builder
	for _, x := range decimals() {
		fmt.Fprintln(&numbers, "Decimal", x)
	}
	for _, x := range []string{"0", "1/2", "-1/2", "-1", "7/3", "123456789012345678901234567890/7", "-3/2"} {
		fmt.Fprintln(&numbers, "Fraction", x)
	}
	t.Run("against Python", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("no Python 3 found; " + file + " has what it said")
		}
		cmd := exec.Command(python, "-c", `
import sys
from decimal import Decimal
from fractions import Fraction
for line in sys.stdin:
    name, number = line.split()
    print(name, number, globals()[name](number) + 1)`)
		cmd.Stdin = strings.NewReader(numbers.String())
		said, err := cmd.Output()
		require.NoError(t, err)
		if os.Getenv("PICKLEBRIDGE_WRITE_SUMS") != "" {
			require.NoError(t, os.WriteFile(file, said, 0o644))
		}
		recorded, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, parseSums(t, said), parseSums(t, recorded))
	})
	recorded, err := os.ReadFile(file)
	require.NoError(t, err)
	sums := parseSums(t, recorded)
	require.Len(t, sums, strings.Count(numbers.String(), "\n"))
	r := start(t, &server.Server{Handler: server.Increment})
	for _, x := range sums {
		module := map[string]string{"Decimal": "decimal", "Fraction": "fractions"}[x.class]
		assert.Equal(t, x.sum, increment(t, r, module, x.class, x.number), "%s(%q) + 1", x.class, x.number)
	}
}

// What a pickle can name that Python would refuse, or would take for ever over, is an error too.
func TestIncrementRefuses(t *testing.T) {
	object := func(module, name string, args ...any) any {
		return &pickleproto.Object{How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: module, Name: name}, Args: pickleproto.Tuple(args)}
	}
	r := start(t, &server.Server{Handler: server.Increment})
	for _, x := range []any{
		object("decimal", "Decimal", "1E+99999999999"), object("decimal", "Decimal", "x"), object("decimal", "Decimal"),
		object("decimal", "Decimal", strings.Repeat("9", 5000)), object("decimal", "Decimal", int64(1)),
		object("fractions", "Fraction", "1/0"), object("fractions", "Fraction", "1e999999"), object("fractions", "Fraction", int64(1), int64(0)),
		object("fractions", "Fraction"), object("app", "Thing"), pickleproto.Global{Module: "app", Name: "Thing"},
	} {
		raised(t, r.ask(dumps(t, numbers(t, x), 4)))
	}
	for _, whole := range []any{
		object("builtins", "range", int64(0), int64(1<<62)), object("builtins", "range", int64(0), int64(1), int64(0)),
		object("array", "array", "i", pickleproto.Bytes("x")),
	} {
		d := pickleproto.NewDict()
		require.NoError(t, d.Set("numbers", whole))
		raised(t, r.ask(dumps(t, d, 4)))
	}
	raised(t, r.ask(dumps(t, object("collections", "defaultdict", pickleproto.Global{Module: "app", Name: "make"}), 4)))
}

// A number of a megabyte that a request mentions many times is added to once.
func TestIncrementOfLongNumbers(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Increment, Limits: pickleproto.Limits{Message: 4 << 20}})
	text := strings.Repeat("7", 4000)
	fraction := "cfractions\nFraction\nX\xa0\x0f\x00\x00" + text + "\x85R"
	long := "\x8b\x00\x00\x10\x00" + strings.Repeat("\x01", 1<<20)
	for name, c := range map[string]struct {
		number string
		times  int
	}{"int": {long, 300}, "fraction": {fraction, 20_000}} {
		request := "\x80\x04}\x8c\x07numbers](" + c.number + "\x94" + strings.Repeat("h\x00", c.times) + "es."
		before := allocated()
		answer := r.ask(request)
		assert.Less(t, allocated()-before, uint64(64<<20), name)
		if name == "int" {
			assert.Contains(t, raised(t, answer), "limit", name)
			continue
		}
		sums, _ := loads(t, answer).(*pickleproto.Dict).Get("numbers")
		require.Equal(t, c.times+1, sums.(*pickleproto.List).Len())
		sum := sums.(*pickleproto.List).At(c.times).(*pickleproto.Object).Args.(pickleproto.Tuple)[0]
		assert.Equal(t, text[:3999]+"8", sum)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// An iterator's place is a long in a pickle of Python 3.6 at protocol 0, which has no ints.
func TestIteratorThatStandsAtALong(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Increment})
	begun := "(dS'numbers'\nc__builtin__\niter\n((lI5\naI6\natRL1L\nbs."
	assert.Equal(t, "{'key': 'processed', 'numbers': [7]}", pickleproto.Repr(loads(t, r.ask(begun))))
}
