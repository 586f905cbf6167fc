// Command gotypes is what test_gotypes.py sends the Python objects of the documentation's table to:
// a request is (row, object), the object is bound to the row's Go type, and the answer tells what
// arrived, in Go's words, and carries the Go value back.
package main

import (
	"context"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sort"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
)

// answer is the reply, a dict in Python.
type answer struct {
	Arrived string `pickle:"arrived"`
	Back    any    `pickle:"back"`
}

// request is the pair (row, object).
type request[T any] struct {
	_     struct{} `pickle:",tuple"`
	Row   string
	Value T
}

// row binds the object to a T, and says with show what it is.
func row[T any](show func(v T) string) server.Handler {
	return server.Typed(func(_ context.Context, in request[T]) (answer, error) {
		return answer{show(in.Value), in.Value}, nil
	})
}

func plain[T any](v T) string { return fmt.Sprintf("%+v", v) }

func python[T any](v T) string { return pickleproto.Repr(v) }

type user struct {
	_    struct{} `pickle:",class=models.User"`
	Name string   `pickle:"name"`
	Age  int      `pickle:"age,omitempty"`
	Tags []string `pickle:"tags"`
}

type slotted struct {
	_    struct{} `pickle:",slots=models.Slotted"`
	X, Y int
}

type point struct {
	_    struct{} `pickle:",namedtuple=models.Point"`
	X, Y int
}

type triple struct {
	_ struct{} `pickle:",tuple"`
	A int
	B string
	C float64
}

type node struct {
	Name string `pickle:"name"`
	Next *node  `pickle:"next"`
}

// record, color and level are registered, see main.
type record struct {
	Name  string  `pickle:"name"`
	Score float64 `pickle:"score"`
}

type color int

const (
	red color = iota + 1
	green
)

func (c color) String() string { return map[color]string{red: "red", green: "green"}[c] }

type level string

var rows = map[string]server.Handler{
	"None":            row(func(v *int) string { return fmt.Sprint(v == nil) }),
	"bool":            row(plain[bool]),
	"int":             row(plain[int]),
	"int8":            row(plain[int8]),
	"int64":           row(plain[int64]),
	"uint64":          row(plain[uint64]),
	"big int":         row(func(v *big.Int) string { return v.String() }),
	"float":           row(plain[float64]),
	"complex":         row(plain[complex128]),
	"str":             row(plain[string]),
	"lone surrogate":  row(func(v string) string { return fmt.Sprintf("%x", v) }),
	"bytes":           row(func(v []byte) string { return fmt.Sprintf("%x", v) }),
	"bytearray":       row(func(v *pickleproto.ByteArray) string { return fmt.Sprintf("%x", v.Data) }),
	"list":            row(plain[[]int]),
	"tuple":           row(plain[pickleproto.Tuple]),
	"tuple of fields": row(plain[triple]),
	"dict":            row(plain[map[string]int]),
	"dict of tuples":  row(plain[map[[2]int]string]),
	"dict in order":   row(python[*pickleproto.Dict]),
	"set": row(func(v map[int64]struct{}) string {
		keys := make([]int, 0, len(v))
		for k := range v {
			keys = append(keys, int(k))
		}
		sort.Ints(keys)
		return fmt.Sprint(keys)
	}),
	"frozenset":       row(python[*pickleproto.FrozenSet]),
	"shared":          row(func(v map[string]*node) string { return fmt.Sprintf("%v %s", v["a"] == v["b"], v["a"].Name) }),
	"cycle":           row(func(v *node) string { return fmt.Sprintf("%v %s", v.Next == v, v.Name) }),
	"struct":          row(plain[struct{ Name string }]),
	"instance":        row(plain[user]),
	"slots":           row(plain[slotted]),
	"namedtuple":      row(plain[point]),
	"dataclass":       row(plain[record]),
	"Enum":            row(plain[color]),
	"Enum of str":     row(plain[level]),
	"class":           row(plain[pickleproto.Global]),
	"inert":           row(python[any]),
	"aware datetime":  row(func(v time.Time) string { return v.Format(time.RFC3339Nano) }),
	"zoneinfo":        row(func(v time.Time) string { return v.Format(time.RFC3339Nano) + " " + v.Location().String() }),
	"naive datetime":  row(plain[pickleproto.NaiveDateTime]),
	"fold":            row(func(v pickleproto.NaiveDateTime) string { return fmt.Sprint(v, " ", v.Fold) }),
	"date":            row(plain[pickleproto.Date]),
	"time":            row(func(v pickleproto.TimeOfDay) string { return v.String() }),
	"timedelta":       row(plain[time.Duration]),
	"long timedelta":  row(func(v pickleproto.TimeDelta) string { return v.String() }),
	"timezone":        row(func(v *time.Location) string { return time.Unix(0, 0).In(v).Format("-07:00") }),
	"Decimal":         row(func(v pickleproto.Decimal) string { return v.String() }),
	"Fraction":        row(func(v *big.Rat) string { return v.String() }),
	"UUID":            row(func(v pickleproto.UUID) string { return v.String() }),
	"OrderedDict":     row(func(v *pickleproto.OrderedDict) string { return pickleproto.Repr(v.Dict) }),
	"defaultdict":     row(func(v *pickleproto.DefaultDict) string { return pickleproto.Repr(v.Dict) }),
	"Counter":         row(func(v *pickleproto.Counter) string { return pickleproto.Repr(v.Dict) }),
	"deque":           row(func(v *pickleproto.Deque) string { return fmt.Sprint(v.Items, v.MaxLen) }),
	"SimpleNamespace": row(func(v *pickleproto.SimpleNamespace) string { return pickleproto.Repr(v.Dict) }),
	"range":           row(plain[pickleproto.Range]),
	"slice":           row(plain[pickleproto.Slice]),
	"array":           row(func(v *pickleproto.Array) string { return fmt.Sprintf("%c%v", v.Typecode, v.Data) }),
	"Path":            row(plain[pickleproto.Path]),
	"path":            row(plain[pickleproto.PurePath]),
	"Windows path":    row(plain[pickleproto.PureWindowsPath]),
	"IPv4Address":     row(func(v netip.Addr) string { return v.String() }),
	"IPv6Network":     row(func(v netip.Prefix) string { return v.String() }),
	"IPv4Interface":   row(func(v pickleproto.IPInterface) string { return v.String() }),
	"exception": row(func(v *pickleproto.Exception) string {
		return strings.Join(append([]string{v.Error()}, v.Notes()...), "; ")
	}),
	"str of Python 2":    row(python[pickleproto.ByteString]),
	"persistent id":      row(func(v *pickleproto.PersistentID) string { return fmt.Sprint(v.ID) }),
	"extension code":     row(plain[pickleproto.Extension]),
	"out-of-band buffer": row(func(v *pickleproto.Buffer) string { return fmt.Sprint(v.Index, " ", v.ReadOnly) }),
	"error":              row(func(v error) string { return v.Error() }),
	"Ellipsis":           row(func(v pickleproto.Global) string { return v.Name }),
}

// byRow hands a request to the handler of its row.
type byRow struct{}

func (byRow) ServePickle(ctx context.Context, req *server.Request) (any, error) {
	var first request[any]
	if err := req.Decode(&first); err != nil {
		return nil, err
	}
	h, ok := rows[first.Row]
	if !ok {
		return nil, pickleproto.NewException("LookupError", "no row "+first.Row)
	}
	return h.ServePickle(ctx, req)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening", ln.Addr().(*net.TCPAddr).Port)
	s := &server.Server{Handler: byRow{}, Options: []pickleproto.Option{
		pickleproto.WithClass("models.Record", record{}),
		pickleproto.WithEnum("models.Color", map[string]color{"RED": red, "GREEN": green}), // 3.11.2 sends the names
		pickleproto.WithEnum("models.Level", map[string]level{"LOW": "low"}),
	}}
	if err := s.Serve(ctx, ln); err != nil && err != server.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
