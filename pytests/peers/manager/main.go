// Command manager is a Go manager for the tests, with objects of every kind that they call. It
// prints "listening PORT" and serves until it is killed. Its authkey is "k". An argument is the path
// of a Unix socket, or an OrphanTimeout.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server/managers"
)

// Calc has methods of every form.
type Calc struct{ gone chan struct{} }

// Sum is what Add takes.
type Sum struct{ A, B int }

func (*Calc) Add(s Sum) int { return s.A + s.B }

func (*Calc) Sub(a, b float64) float64 { return a - b }

func (*Calc) Total(first int, more ...int) int {
	for _, n := range more {
		first += n
	}
	return first
}

func (*Calc) Join(p struct {
	managers.Args
	Words []string
	Sep   string `pickle:"separator,omitempty"`
}) string {
	return strings.Join(p.Words, p.Sep)
}

func (*Calc) DivMod(a, b int) (int, int, error) {
	if b == 0 {
		return 0, 0, pickleproto.NewException("ZeroDivisionError", "integer division or modulo by zero")
	}
	return a / b, a % b, nil
}

func (*Calc) Fail(text string) error { return errors.New(text) }

func (*Calc) Panic() { panic("secret of the innards") }

func (*Calc) Unpicklable() any { return func() {} }

func (*Calc) Sum(numbers []int64) (sum int64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

func (*Calc) Anything(x any) any { return x }

func (*Calc) Nothing() {}

// Print has a name that Python 2 has no room for.
func (*Calc) Print(x any) string { return pickleproto.Repr(x) }

// Block waits until the client has gone. It prints "blocking".
func (c *Calc) Block(ctx context.Context) error {
	fmt.Println("blocking")
	<-ctx.Done()
	c.gone <- struct{}{}
	return ctx.Err()
}

// AwaitGone waits for the end of a Block.
func (c *Calc) AwaitGone(ctx context.Context) bool {
	select {
	case <-c.gone:
		return true
	case <-ctx.Done():
		return false
	}
}

func (*Calc) Sleep(ctx context.Context, seconds float64) error {
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (*Calc) String() string { return "a calculator" }

func (*Calc) Dir(a string, b string) string { return a + "/" + b }

// Account is made by its factory, and by Bank's methods.
type Account struct {
	mu      sync.Mutex
	owner   string
	balance int
}

func NewAccount(p struct {
	Owner   string
	Balance int `pickle:"balance,omitempty"`
}) (*Account, error) {
	if p.Balance < 0 {
		return nil, pickleproto.NewException("ValueError", "negative balance")
	}
	return &Account{owner: p.Owner, balance: p.Balance}, nil
}

func (a *Account) Deposit(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.balance += n
	return a.balance
}

func (a *Account) Owner() string { return a.owner }

// Transfer takes a proxy of another account.
func (a *Account) Transfer(to *Account, n int) int {
	to.Deposit(n)
	return a.Deposit(-n)
}

func (a *Account) MarshalPickle() (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return map[string]any{"owner": a.owner, "balance": a.balance}, nil
}

// Bank gives accounts as proxies.
type Bank struct {
	m      *managers.Manager
	shared *managers.Proxy
}

func (b *Bank) Open(owner string) *Account { return &Account{owner: owner} }

// Find gives None where nobody is found.
func (b *Bank) Find(owner string) *Account {
	if owner == "nobody" {
		return nil
	}
	return &Account{owner: owner}
}

func (b *Bank) All() []any { return []any{b.shared, "and no more"} }

func (b *Bank) Same(p *managers.Proxy) *managers.Proxy { return p }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// shared registers objects that Go code uses at the same time.
func shared(m *managers.Manager) {
	jobs, results, done := managers.NewQueue(0), managers.NewQueue(0), managers.NewEvent()
	config, lines := managers.NewDict(), make(chan string)
	must(config.Set("from", "Go"))
	must(m.Register("get_jobs", jobs))
	must(m.Register("get_results", results))
	must(m.Register("get_done", done))
	must(m.Register("get_config", config))
	must(m.Register("get_lines", managers.NewChan(lines)))
	ctx := context.Background()
	for range 3 {
		go func() {
			for {
				x, err := jobs.Get(ctx)
				must(err)
				must(results.Put(ctx, x.(int64)*x.(int64)))
			}
		}()
	}
	go func() {
		for line := range lines {
			must(results.Put(ctx, strings.ToUpper(line)))
		}
	}()
	go func() {
		for {
			must(done.Wait(ctx))
			done.Clear()
			x, _ := config.Get("answer")
			must(results.Put(ctx, x))
		}
	}()
}

func main() {
	m := &managers.Manager{Auth: transport.Auth{Key: []byte("k")}, OnShutdown: func() { os.Exit(7) }}
	path := ""
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "/") {
		path = os.Args[1]
	} else if len(os.Args) > 1 {
		d, err := time.ParseDuration(os.Args[1])
		must(err)
		m.OrphanTimeout = d
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	debug.SetGCPercent(400) // as pickle-server does: the heap of such a program is small
	bank := &Bank{m: m}
	must(m.Register("calc", &Calc{gone: make(chan struct{}, 100)},
		managers.WithName("Dir", "__add__"), managers.WithParams("Dir", "a", "b"), managers.WithParams("DivMod", "a", "b")))
	must(m.Register("account", NewAccount))
	must(m.Register("bank", bank, managers.Returns("open", "account"), managers.Returns("find", "account")))
	must(m.RegisterSync())
	shared(m)
	var err error
	bank.shared, err = m.Share("account", &Account{owner: "everybody", balance: 100})
	must(err)
	if path != "" {
		ln, err := net.Listen("unix", path)
		must(err)
		fmt.Println("listening 0")
		must(m.Serve(context.Background(), ln))
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println("listening", ln.Addr().(*net.TCPAddr).Port)
	must(m.Serve(context.Background(), ln))
}
