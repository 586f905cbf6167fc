package main

// payload is one of those that ../testdata/payloads.py writes.
type payload struct {
	name  string
	title string
	// typed returns a pointer to a new Go value of the type that a program would choose.
	typed  func() any
	goType string
}

func target[T any]() any { return new(T) }

type seed struct {
	Key     string  `pickle:"key"`
	Numbers []int64 `pickle:"numbers"`
}

type record struct {
	ID     int64      `pickle:"id"`
	Name   string     `pickle:"name"`
	Email  string     `pickle:"email"`
	Age    int64      `pickle:"age"`
	Score  float64    `pickle:"score"`
	Active bool       `pickle:"active"`
	Tags   []string   `pickle:"tags"`
	Pos    [2]float64 `pickle:"pos"`
	Note   *string    `pickle:"note"`
}

type tuple struct {
	_     struct{} `pickle:",tuple"`
	Index int64
	Half  float64
	Text  string
	None  *string
}

type node struct {
	Left  *node `pickle:"left"`
	Right *node `pickle:"right"`
	Value int64 `pickle:"value"`
}

var payloads = []payload{
	{"seed", "the seed's dict", target[seed], "struct"},
	{"ints", "100,000 ints", target[[]int64], "[]int64"},
	{"floats", "100,000 floats", target[[]float64], "[]float64"},
	{"strings", "100,000 distinct short strings", target[[]string], "[]string"},
	{"dict", "dict of 100,000 str to int", target[map[string]int64], "map[string]int64"},
	{"records", "10,000 records of 9 fields", target[[]record], "[]struct"},
	{"tree", "binary tree of dicts, depth 13", target[node], "struct"},
	{"tuples", "50,000 4-tuples", target[[]tuple], "[]struct"},
	{"frozensets", "20,000 small frozensets", target[[][]int64], "[][]int64"},
	{bytesName, "16 MiB of bytes", target[[]byte], "[]byte"},
}

// bytesName is the payload that has goals of its own.
const bytesName = "bytes"
