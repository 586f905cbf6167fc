package pickleproto_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// What pickle.dumps({'when': datetime(2020, 1, 2, tzinfo=timezone.utc), 'price': Decimal('1.50'),
// 'tags': ('a', 'b')}) writes in CPython 3.13.
const order = "\x80\x04\x95\x9c\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04when\x94\x8c\bdatetime\x94\x8c\bdatetime\x94\x93\x94C\n\a\xe4\x01\x02\x00\x00\x00\x00\x00\x00\x94h\x02\x8c\btimezone\x94\x93\x94h\x02\x8c\ttimedelta\x94\x93\x94K\x00K\x00K\x00\x87\x94R\x94\x85\x94R\x94\x86\x94R\x94\x8c\x05price\x94\x8c\adecimal\x94\x8c\aDecimal\x94\x93\x94\x8c\x041.50\x94\x85\x94R\x94\x8c\x04tags\x94\x8c\x01a\x94\x8c\x01b\x94\x86\x94u."

func ExampleRepr() {
	var v any
	if err := pickleproto.Unmarshal([]byte(order), &v); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pickleproto.Repr(v))
	// Output: {'when': datetime.datetime(2020, 1, 2, 0, 0, tzinfo=datetime.timezone.utc), 'price': Decimal('1.50'), 'tags': ('a', 'b')}
}

func ExamplePlain() {
	var v any
	if err := pickleproto.Unmarshal([]byte(order), &v); err != nil {
		log.Fatal(err)
	}
	plain, err := pickleproto.Plain(v)
	if err != nil {
		log.Fatal(err)
	}
	m := plain.(map[string]any)
	fmt.Println(m["when"].(time.Time).Format(time.RFC3339), m["price"], m["tags"])

	delete(m, "price")
	text, _ := json.Marshal(m)
	fmt.Println(string(text))
	// Output:
	// 2020-01-02T00:00:00Z 1.50 [a b]
	// {"tags":["a","b"],"when":"2020-01-02T00:00:00Z"}
}

func ExampleEqual() {
	fmt.Println(pickleproto.Equal(int64(1), 1.0), pickleproto.Equal(int64(1), true))
	fmt.Println(pickleproto.Equal(pickleproto.Tuple{"a"}, pickleproto.NewList("a")))
	fmt.Println(pickleproto.Equal(pickleproto.Bytes("a"), "a"))
	// Output:
	// true true
	// false
	// false
}

func ExampleNewException() {
	err := fmt.Errorf("while reading: %w", pickleproto.NewException("FileNotFoundError", 2, "No such file or directory", "a.txt"))
	fmt.Println(err)
	fmt.Println(errors.Is(err, pickleproto.NewException("OSError")), errors.Is(err, pickleproto.NewException("ValueError")))
	// Output:
	// while reading: FileNotFoundError: [Errno 2] No such file or directory: 'a.txt'
	// true false
}

func ExampleNaiveDateTime_In() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		log.Fatal(err)
	}
	// Python's datetime(2020, 10, 25, 2, 30): a clock in Berlin showed it twice.
	n := pickleproto.NaiveDateTime{Year: 2020, Month: 10, Day: 25, Hour: 2, Minute: 30}
	fmt.Println(n.In(berlin))
	n.Fold = 1
	fmt.Println(n.In(berlin))
	// Output:
	// 2020-10-25 02:30:00 +0200 CEST
	// 2020-10-25 02:30:00 +0100 CET
}
