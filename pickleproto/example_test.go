package pickleproto_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// The pickle of {'name': 'Ada', 'born': 1815, 'tags': ['x']}, protocol 4, from Python.
const ada = "\x80\x04\x95*\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04name\x94\x8c\x03Ada\x94\x8c\x04born\x94M\x17\x07\x8c\x04tags\x94]\x94\x8c\x01x\x94au."

type Person struct {
	Name string   `pickle:"name"`
	Born int      `pickle:"born,omitempty"`
	Tags []string `pickle:"tags"`
}

func ExampleUnmarshal() {
	var p Person
	if err := pickleproto.Unmarshal([]byte(ada), &p); err != nil {
		fmt.Println(err)
	}
	fmt.Println(p.Name, p.Born, p.Tags)
	// Output: Ada 1815 [x]
}

func ExampleMarshal() {
	data, err := pickleproto.Marshal(Person{Name: "Ada", Born: 1815, Tags: []string{"x"}})
	fmt.Println(string(data) == ada, err)
	// Output: true <nil>
}

// Into `any` nothing is lost; Repr shows what Python would show.
func ExampleUnmarshal_any() {
	var v any
	if err := pickleproto.Unmarshal([]byte(ada), &v); err != nil {
		fmt.Println(err)
	}
	fmt.Println(pickleproto.Repr(v))
	d := v.(*pickleproto.Dict)
	born, _ := d.Get("born")
	fmt.Printf("%T %v\n", born, born)
	again, _ := pickleproto.Marshal(v)
	fmt.Println(string(again) == ada)
	// Output:
	// {'name': 'Ada', 'born': 1815, 'tags': ['x']}
	// int64 1815
	// true
}

// A value that does not fit says where it stands, and nothing is changed.
func ExampleTypeError() {
	v := struct {
		Name string
		Born time.Time
	}{Name: "before"}
	err := pickleproto.Unmarshal([]byte(ada), &v)
	fmt.Println(err)
	var te *pickleproto.TypeError
	fmt.Println(errors.As(err, &te), te.Path, te.Python, te.Go, v.Name)
	// Output:
	// pickle: .born: Python int into Go time.Time at byte 34
	// true .born int time.Time before
}

// A struct as an instance of a Python class: pickle.loads returns an app.models.User.
func ExampleMarshal_class() {
	type User struct {
		_    struct{} `pickle:",class=app.models.User"`
		Name string   `pickle:"name"`
	}
	data, err := pickleproto.Marshal(&User{Name: "Ada"}, pickleproto.WithProtocol(2))
	fmt.Printf("%q %v\n", data, err)

	var back User
	err = pickleproto.Unmarshal(data, &back)
	fmt.Println(back.Name, err)
	// Output:
	// "\x80\x02capp.models\nUser\nq\x00)\x81q\x01}q\x02X\x04\x00\x00\x00nameq\x03X\x03\x00\x00\x00Adaq\x04sb." <nil>
	// Ada <nil>
}

type Shape interface{ Area() float64 }

type Square struct{ Side float64 }

func (s Square) Area() float64 { return s.Side * s.Side }

type Circle struct{ Radius float64 }

func (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }

// Classes are registered by an option; an interface then receives the type of the class.
func ExampleWithClass() {
	classes := []pickleproto.Option{
		pickleproto.WithClass("shapes.Square", Square{}),
		pickleproto.WithClass("shapes.Circle", Circle{}),
	}
	data, err := pickleproto.Marshal([]Shape{Square{2}, Circle{1}}, classes...)
	if err != nil {
		fmt.Println(err)
	}
	var shapes []Shape
	err = pickleproto.Unmarshal(data, &shapes, classes...)
	fmt.Printf("%+v %v %v\n", shapes, shapes[0].Area(), err)
	// Output: [{Side:2} {Radius:1}] 4 <nil>
}

type Color int

const (
	Red Color = iota + 1
	Green
)

// Go constants and the members of a Python Enum.
func ExampleWithEnum() {
	color := pickleproto.WithEnum("app.Color", Color(0))
	data, err := pickleproto.Marshal(Green, color, pickleproto.WithProtocol(0))
	fmt.Printf("%q %v\n", data, err)
	var c Color
	err = pickleproto.Unmarshal(data, &c, color)
	fmt.Println(c == Green, err)
	// Output:
	// "capp\nColor\np0\n(I2\ntp1\nRp2\n." <nil>
	// true <nil>
}

// Pointers that Go shares are one object in Python, and the reverse; so are cycles.
func ExampleMarshal_shared() {
	type Node struct {
		Name string
		Next *Node
	}
	a, b := &Node{Name: "a"}, &Node{Name: "b"}
	a.Next, b.Next = b, a
	data, err := pickleproto.Marshal(a)
	if err != nil {
		fmt.Println(err)
	}
	var v any
	_ = pickleproto.Unmarshal(data, &v)
	fmt.Println(pickleproto.Repr(v))
	var n *Node
	err = pickleproto.Unmarshal(data, &n)
	fmt.Println(n.Next.Name, n.Next.Next == n, err)
	// Output:
	// {'Name': 'a', 'Next': {'Name': 'b', 'Next': {...}}}
	// b true <nil>
}

// Classes of the standard library have Go types.
func ExampleUnmarshal_standardLibrary() {
	type Order struct {
		When  time.Time           `pickle:"when"`
		Price pickleproto.Decimal `pickle:"price"`
		Left  time.Duration       `pickle:"left"`
	}
	price, _ := pickleproto.ParseDecimal("1.50")
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	data, err := pickleproto.Marshal(Order{when, price, 90 * time.Minute})
	if err != nil {
		fmt.Println(err)
	}
	var v any
	_ = pickleproto.Unmarshal(data, &v)
	fmt.Println(pickleproto.Repr(v))
	var o Order
	err = pickleproto.Unmarshal(data, &o)
	fmt.Println(o.When, o.Price, o.Left, err)
	// Output:
	// {'when': datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc), 'price': Decimal('1.50'), 'left': datetime.timedelta(seconds=5400)}
	// 2024-05-06 07:08:09 +0000 UTC 1.50 1h30m0s <nil>
}

// A Python exception is a Go error, and the reverse.
func ExampleException() {
	data, err := pickleproto.Marshal(pickleproto.NewException("KeyError", "numbers"))
	if err != nil {
		fmt.Println(err)
	}
	var e error
	err = pickleproto.Unmarshal(data, &e)
	fmt.Println(e, err)
	// Output: KeyError: 'numbers' <nil>
}

// Any number of pickles, one after the other, from a connection or a file.
func ExampleDecoder() {
	var stream bytes.Buffer
	encoder := pickleproto.NewEncoder(&stream)
	for i := range 3 {
		if err := encoder.Encode([]int{i}); err != nil {
			fmt.Println(err)
		}
	}
	decoder := pickleproto.NewDecoder(&stream)
	for {
		var v []int
		err := decoder.Decode(&v)
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(v)
	}
	// Output:
	// [0]
	// [1]
	// [2]
}

// Celsius decides for itself what it is in Python.
type Celsius float64

func (c Celsius) MarshalPickle() (any, error) {
	return pickleproto.Tuple{"celsius", float64(c)}, nil
}

func (c *Celsius) UnmarshalPickle(v any) error {
	t, ok := v.(pickleproto.Tuple)
	if !ok || len(t) != 2 {
		return errors.New("no temperature")
	}
	f, ok := t[1].(float64)
	*c = Celsius(f)
	if !ok {
		return errors.New("no temperature")
	}
	return nil
}

func ExampleMarshaler() {
	data, err := pickleproto.Marshal(map[string]Celsius{"now": 21.5})
	if err != nil {
		fmt.Println(err)
	}
	var v any
	_ = pickleproto.Unmarshal(data, &v)
	fmt.Println(pickleproto.Repr(v))
	var back map[string]Celsius
	err = pickleproto.Unmarshal(data, &back)
	fmt.Println(back, err)
	// Output:
	// {'now': ('celsius', 21.5)}
	// map[now:21.5] <nil>
}

// Code outside of the pickle resolves a persistent id.
func ExampleWithPersistentLoad() {
	data, err := pickleproto.Marshal([]any{os.Stdout, 1}, pickleproto.WithPersistentID(func(v any) (any, bool) {
		_, isFile := v.(*os.File)
		return "the terminal", isFile
	}))
	if err != nil {
		fmt.Println(err)
	}
	var v []any
	err = pickleproto.Unmarshal(data, &v, pickleproto.WithPersistentLoad(func(id any) (any, error) {
		return fmt.Sprintf("<%s>", id), nil
	}))
	fmt.Println(v, err)
	// Output: [<the terminal> 1] <nil>
}
