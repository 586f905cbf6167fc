// Command managerclient calls a Python manager, that of pytests/peers/sync_server.py or one with
// the same objects.
//
//	managerclient ADDRESS [sync]
//
// checks what a Go client of a manager can do, and prints "ok"; with sync, what it can do with the
// types of SyncManager.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/client/managers"
	"github.com/picklebridge/picklebridge/pickleproto"
)

func check(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, want any) { check(reflect.DeepEqual(got, want), "got %#v, want %#v", got, want) }

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := managers.Dial(ctx, os.Args[1], []byte("k"))
	must(err)
	if len(os.Args) < 3 {
		calls(ctx, c)
	}
	containers(ctx, c)
	cancelled(ctx, c)
	must(c.Close())
	must2(managers.Dial(ctx, os.Args[1], []byte("not the key")))
	again, err := managers.Dial(ctx, os.Args[1], []byte("k"))
	must(err)
	fmt.Println("ok")
	must(again.Close())
	_, err = again.Create(ctx, "calc", nil, nil)
	check(errors.Is(err, client.ErrClosed), "after Close: %v", err)
}

// must2 wants the error of a wrong key.
func must2(_ *managers.Client, err error) {
	var connect *client.ConnectError
	check(errors.As(err, &connect), "a wrong key gives %v", err)
}

// raised returns the exception in err, which must be of the class.
func raised(err error, class, text string) *managers.Error {
	var e *managers.Error
	check(errors.As(err, &e), "no exception but %v", err)
	var inner *pickleproto.Exception
	check(errors.As(err, &inner) && inner == e.Exception, "no exception in %v", err)
	got := e.Exception.Class.Module + "." + e.Exception.Class.Name
	check(got == class && strings.Contains(e.Exception.Text(), text), "%s %q", got, e.Exception.Text())
	return e
}

func calls(ctx context.Context, c *managers.Client) {
	calc, err := c.Create(ctx, "calc", nil, nil)
	must(err)
	var n int
	must(calc.Call(ctx, "add", []any{2}, map[string]any{"b": 40}, &n))
	equal(n, 42)
	var x any
	must(calc.Call(ctx, "add", []any{"a", "b"}, nil, &x))
	equal(x, "ab")
	must(calc.Call(ctx, "add", []any{[]int{1}, []int{2}}, nil, nil))
	check(len(calc.Methods()) >= 4, "methods: %v", calc.Methods())

	e := raised(calc.Call(ctx, "fail", []any{"it failed"}, nil, nil), "builtins.ValueError", "it failed")
	equal(e.Error(), "ValueError: it failed")
	raised(calc.Call(ctx, "add", nil, nil, nil), "builtins.TypeError", "add() ")
	e = raised(calc.Call(ctx, "nope", nil, nil, nil), "multiprocessing.managers.RemoteError", "nope")
	check(strings.HasPrefix(e.Traceback, "Traceback") || strings.Contains(e.Traceback, "\nTraceback"), "traceback: %q", e.Traceback)
	e = raised(calc.Call(ctx, "broken", nil, nil, nil), "multiprocessing.managers.RemoteError", "Unserializable message")
	check(strings.Contains(e.Traceback, "ickl"), "traceback: %q", e.Traceback)
	_, err = c.Create(ctx, "nope", nil, nil)
	raised(err, "multiprocessing.managers.RemoteError", "nope")
	err = calc.Call(ctx, "add", []any{"a", "b"}, nil, &n)
	var mismatch *pickleproto.TypeError
	check(errors.As(err, &mismatch), "str into int: %v", err)
	err = calc.Call(ctx, "add", []any{func() {}}, nil, &n)
	check(errors.As(err, &mismatch), "a func as argument: %v", err)
	must(calc.Call(ctx, "add", []any{1, 2}, nil, &n)) // the connection has survived all that
	equal(n, 3)

	var child *managers.Proxy
	must(calc.Call(ctx, "child", nil, nil, &child))
	must(child.Call(ctx, "add", []any{20, 22}, nil, &n))
	equal(n, 42)
	must(calc.Call(ctx, "child", nil, nil, &x))
	must(x.(*managers.Proxy).Release(ctx))
	must(child.Release(ctx))
	must(child.Release(ctx))
	raised(child.Call(ctx, "add", []any{1, 2}, nil, nil), "multiprocessing.managers.RemoteError", "")

	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for i := range 50 {
				var n int
				must(calc.Call(ctx, "add", []any{i, 1}, nil, &n))
				equal(n, i+1)
			}
		})
	}
	wg.Wait()
}

func containers(ctx context.Context, c *managers.Client) {
	d, err := c.NewDict(ctx, map[string]int{"a": 1})
	must(err)
	must(d.Set(ctx, "b", []string{"x"}))
	must(d.Update(ctx, map[string]any{"c": nil}))
	var n int
	ok, err := d.Get(ctx, "a", &n)
	check(ok && err == nil && n == 1, "get: %v %v %v", ok, err, n)
	ok, err = d.Get(ctx, "nope", &n)
	check(!ok && err == nil, "get: %v %v", ok, err)
	ok, err = d.Delete(ctx, "c")
	check(ok && err == nil, "delete: %v %v", ok, err)
	ok, err = d.Delete(ctx, "c")
	check(!ok && err == nil, "delete: %v %v", ok, err)
	var all struct {
		A int
		B []string
	}
	must(d.Copy(ctx, &all))
	check(all.A == 1 && len(all.B) == 1, "copy: %v", all)
	n, err = d.Len(ctx)
	check(err == nil && n == 2, "len: %v %v", n, err)

	l, err := c.NewList(ctx, 1, 2)
	must(err)
	must(l.Append(ctx, 3, 4))
	must(l.SetAt(ctx, 0, 10))
	must(l.Pop(ctx, -1, &n))
	equal(n, 4)
	must(l.At(ctx, -1, &n))
	equal(n, 3)
	var ints []int
	must(l.Copy(ctx, &ints))
	equal(ints, []int{10, 2, 3})
	raised(l.At(ctx, 5, &n), "builtins.IndexError", "out of range")
	s, err := l.Text(ctx)
	check(err == nil && s == "[10, 2, 3]", "text: %v %v", s, err)

	// A proxy in another object, and back. Python 2 keeps the list itself and gives a copy.
	must(d.Set(ctx, "list", l))
	var inner any
	_, err = d.Get(ctx, "list", &inner)
	must(err)
	if o, ok := inner.(*pickleproto.Object); ok {
		p, err := c.Resolve(ctx, o)
		must(err)
		must(p.Call(ctx, "append", []any{5}, nil, nil))
		n, err = l.Len(ctx)
		check(err == nil && n == 4, "len: %v %v", n, err)
	}

	q, err := c.NewQueue(ctx, 1)
	must(err)
	must(q.Put(ctx, "first"))
	err = q.TryPut(ctx, "second")
	check(errors.Is(err, managers.ErrFull), "full: %v", err)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = q.Put(short, "second")
	check(errors.Is(err, context.DeadlineExceeded), "full: %v", err)
	var text string
	must(q.Get(ctx, &text))
	equal(text, "first")
	err = q.TryGet(ctx, &text)
	check(errors.Is(err, managers.ErrEmpty), "empty: %v", err)
	err = q.Get(short, &text)
	check(errors.Is(err, context.DeadlineExceeded), "empty: %v", err)
	go func() { must(q.Put(ctx, "late")) }()
	must(q.Get(ctx, &text))
	equal(text, "late")
	must(q.TaskDone(ctx))
	must(q.TaskDone(ctx))
	must(q.Join(ctx))

	// An RLock knows its owner, which is a Session.
	r, err := c.Create(ctx, "RLock", nil, nil)
	must(err)
	one, two := c.NewSession(), c.NewSession()
	var got any // Python 2 answers 1
	for range 2 {
		must(r.In(one).Call(ctx, "acquire", nil, nil, &got))
		check(got == true || got == int64(1), "acquire")
	}
	must(r.In(two).Call(ctx, "acquire", []any{false}, nil, &got))
	check(got == false, "acquired twice")
	must(r.In(one).Call(ctx, "release", nil, nil, nil))
	must(r.In(one).Call(ctx, "release", nil, nil, nil))
	must(r.In(two).Call(ctx, "acquire", []any{false}, nil, &got))
	check(got != false, "not released")
	one.Close()
	two.Close()
}

func cancelled(ctx context.Context, c *managers.Client) {
	e, err := c.Create(ctx, "Event", nil, nil)
	must(err)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err = e.Call(short, "wait", nil, nil, nil)
	check(errors.Is(err, context.DeadlineExceeded) && errors.Is(err, client.ErrUnanswered), "wait: %v", err)
	must(e.Call(ctx, "set", nil, nil, nil))
}
