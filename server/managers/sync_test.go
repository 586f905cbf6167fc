package managers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/managers"
)

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := managers.NewQueue(1)
		_, err := q.TryGet()
		require.ErrorIs(t, err, managers.ErrEmpty)
		_, err = q.Get(within(time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, q.Put(context.Background(), 1))
		require.ErrorIs(t, q.TryPut(2), managers.ErrFull)
		require.ErrorIs(t, q.Put(within(time.Second), 2), context.DeadlineExceeded)

		var wg sync.WaitGroup
		sum := 0
		for i := 2; i <= 100; i++ {
			wg.Go(func() { require.NoError(t, q.Put(context.Background(), i)) })
		}
		for range 100 {
			x, err := q.Get(context.Background())
			require.NoError(t, err)
			sum += x.(int)
			require.NoError(t, q.TaskDone())
		}
		wg.Wait()
		require.Equal(t, 5050, sum)
		require.NoError(t, q.Join(context.Background()))
		require.Error(t, q.TaskDone())
		require.Zero(t, q.Len())
	})
}

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock, sem, r := managers.NewLock(), managers.NewBoundedSemaphore(2), managers.NewRLock()
		inside, most, locked, owned := 0, 0, 0, 0 // the last two are each guarded by one lock
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				require.NoError(t, sem.Acquire(context.Background()))
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				mu.Lock()
				inside--
				mu.Unlock()
				require.NoError(t, sem.Release(1))

				require.NoError(t, lock.Acquire(context.Background()))
				locked++
				require.NoError(t, lock.Release())
				release, err := r.Acquire(context.Background())
				require.NoError(t, err)
				owned++
				require.NoError(t, release())
			})
		}
		wg.Wait()
		require.Equal(t, []int{2, 20, 20}, []int{most, locked, owned})
		require.Error(t, sem.Release(1))
		require.Error(t, lock.Release())
		require.True(t, lock.TryAcquire())
		require.False(t, lock.TryAcquire())
		require.ErrorIs(t, lock.Acquire(within(time.Second)), context.DeadlineExceeded)
		release, err := r.Acquire(context.Background())
		require.NoError(t, err)
		_, err = r.Acquire(within(time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, release())
		require.Error(t, release())
	})
}

func TestCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := managers.NewCondition(managers.NewLock())
		ready, woken := 0, 0
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				require.NoError(t, c.With(context.Background(), func(h *managers.Held) error {
					for ready == 0 {
						if err := h.Wait(context.Background()); err != nil {
							return err
						}
					}
					ready--
					woken++
					return nil
				}))
			})
		}
		synctest.Wait()
		for range 5 {
			require.NoError(t, c.With(context.Background(), func(h *managers.Held) error {
				ready++
				h.Notify(1)
				return nil
			}))
		}
		wg.Wait()
		require.Equal(t, 5, woken)
		err := c.With(context.Background(), func(h *managers.Held) error { return h.Wait(within(time.Second)) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, c.With(context.Background(), func(h *managers.Held) error { h.NotifyAll(); return nil }))
	})
}

func TestEventAndBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b := managers.NewEvent(), managers.NewBarrier(3)
		require.ErrorIs(t, e.Wait(within(time.Second)), context.DeadlineExceeded)
		seen := make(chan int, 3)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				require.NoError(t, e.Wait(context.Background()))
				i, err := b.Wait(context.Background())
				require.NoError(t, err)
				seen <- i
			})
		}
		synctest.Wait()
		e.Set()
		wg.Wait()
		require.ElementsMatch(t, []int{0, 1, 2}, []int{<-seen, <-seen, <-seen})

		broken := make(chan error, 1)
		go func() { _, err := b.Wait(context.Background()); broken <- err }()
		synctest.Wait()
		_, err := b.Wait(within(time.Second)) // gives up, for both
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, <-broken, managers.ErrBrokenBarrier)
		_, err = b.Wait(context.Background())
		require.ErrorIs(t, err, managers.ErrBrokenBarrier)
		b.Reset()
		go func() { _, err := b.Wait(context.Background()); broken <- err }()
		synctest.Wait()
		b.Abort()
		require.ErrorIs(t, <-broken, managers.ErrBrokenBarrier)
	})
}

func TestContainers(t *testing.T) {
	d := managers.NewDict()
	require.NoError(t, d.Set(1, "one"))
	require.Error(t, d.Set(pickleproto.NewList(), 1))
	v, ok := d.Get(1.0) // as in Python
	require.True(t, ok)
	require.Equal(t, "one", v)
	require.NoError(t, d.Update(func(d *pickleproto.Dict) error { return d.Set("two", 2) }))
	require.Equal(t, 2, d.Len())
	require.True(t, d.Delete(1))
	require.False(t, d.Delete(1))
	require.Equal(t, 1, d.Copy().Len())

	l := managers.NewList("a")
	l.Append("b")
	l.Update(func(items []any) []any { return append(items, "c") })
	require.Equal(t, []any{"a", "b", "c"}, l.Items())
	require.Equal(t, 3, l.Len())

	x := managers.NewValue("i", 1)
	x.Update(func(x any) any { return x.(int) + 1 })
	require.Equal(t, 2, x.Get())
	n := managers.NewNamespace()
	n.Set("a", 1)
	v, ok = n.Get("a")
	require.True(t, ok && n.Delete("a") && !n.Delete("a"))
	require.Equal(t, 1, v)
}

// What Python puts arrives in the channel, and what Go has closed says so.
func TestChan(t *testing.T) {
	c := make(chan string, 1)
	m := &managers.Manager{}
	require.NoError(t, m.Register("get_lines", managers.NewChan(c)))
	addr := start(t, m)
	id := create(t, addr, "get_lines")
	p := thread(t, addr)
	kind, _ := p.ask(4, request(id, "put", "line"))
	require.Equal(t, "#RETURN", kind)
	kind, v := p.ask(4, request(id, "put_nowait", "another"))
	require.Equal(t, "#ERROR", kind)
	require.Contains(t, pickleproto.Repr(v), "Full")
	require.Equal(t, "line", <-c)
	kind, v = p.ask(4, request(id, "put", 5))
	require.Equal(t, "#ERROR", kind)
	require.Contains(t, pickleproto.Repr(v), "TypeError")
	kind, v = p.ask(4, request(id, "get", true, 0.01))
	require.Equal(t, "#ERROR", kind)
	require.Contains(t, pickleproto.Repr(v), "Empty")
	close(c)
	for _, r := range []pickleproto.Tuple{request(id, "get"), request(id, "put", "x")} {
		kind, v = p.ask(4, r)
		require.Equal(t, "#ERROR", kind)
		require.Contains(t, pickleproto.Repr(v), "EOFError")
	}
	kind, _ = p.ask(4, request(id, "join"))
	require.Equal(t, "#TRACEBACK", kind)
}

// A proxy of Go's own keeps its object until it is released.
func TestShare(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("calc", nil, managers.WithMethods("Add")))
	addr := start(t, m)
	p, err := m.Share("calc", calc{})
	require.NoError(t, err)
	require.Equal(t, calc{}, p.Value())
	require.Equal(t, int64(0), asked(t, addr, "number_of_objects")) // those of clients
	kind, _ := connect(t, addr).ask(4, request(nil, "create", "calc"))
	require.Equal(t, "#TRACEBACK", kind)
	require.Contains(t, asked(t, addr, "debug_info"), "<calc object>")
	p.Release()
	p.Release()
	require.Empty(t, asked(t, addr, "debug_info"))
}

func ExampleNewQueue() {
	jobs, results := managers.NewQueue(0), managers.NewQueue(0)
	m := &managers.Manager{}
	// In Python: M.register('get_jobs'); ...; m.get_jobs().put(21)
	if err := m.Register("get_jobs", jobs); err != nil {
		panic(err)
	}
	if err := m.Register("get_results", results); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() {
		for {
			n, err := jobs.Get(ctx)
			if err != nil {
				return
			}
			if err := results.Put(ctx, n.(int64)*2); err != nil {
				return
			}
		}
	})
	if err := jobs.Put(ctx, int64(21)); err != nil { // as a Python client would
		panic(err)
	}
	fmt.Println(results.Get(ctx))
	cancel()
	worker.Wait()
	// Output: 42 <nil>
}

func TestQueueShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, empty := managers.NewQueue(1), managers.NewQueue(1)
		require.NoError(t, full.TryPut(1))
		var wg sync.WaitGroup
		wg.Go(func() { require.ErrorIs(t, full.Put(context.Background(), 2), managers.ErrShutDown) })
		wg.Go(func() {
			_, err := empty.Get(context.Background())
			require.ErrorIs(t, err, managers.ErrShutDown)
		})
		wg.Go(func() { require.NoError(t, full.Join(context.Background())) })
		synctest.Wait()
		full.Shutdown(false)
		empty.Shutdown(false)
		x, err := full.TryGet()
		require.NoError(t, err)
		require.Equal(t, 1, x)
		require.NoError(t, full.TaskDone())
		wg.Wait()
		_, err = full.TryGet()
		require.ErrorIs(t, err, managers.ErrShutDown)

		q := managers.NewQueue(0)
		require.NoError(t, q.TryPut(1))
		q.Shutdown(true)
		require.NoError(t, q.Join(context.Background()))
		require.Zero(t, q.Len())
	})
}

func TestSet(t *testing.T) {
	s, err := managers.NewSet(1, "a", 1.0)
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), "a"}, s.Items())
	require.NoError(t, s.Add(2))
	require.Error(t, s.Add(pickleproto.NewList()))
	require.True(t, s.Has(2))
	require.True(t, s.Remove(2))
	require.False(t, s.Remove(2))
	require.Equal(t, 2, s.Len())
	require.Equal(t, "{1, 'a'}", pickleproto.Repr(s.Copy()))
	_, err = managers.NewSet(pickleproto.NewList())
	require.Error(t, err)
}

// Decimals whose comparing would cost far more than their pickles are not compared.
func TestSortOfHugeDecimals(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.RegisterSync())
	addr := start(t, m)
	decimal := func(text string) any {
		return &pickleproto.Object{How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "decimal", Name: "Decimal"}, Args: pickleproto.Tuple{text}}
	}
	id := create(t, addr, "list", pickleproto.NewList(decimal("1E+400"), decimal("1E-400"), decimal("-3")))
	p := thread(t, addr)
	kind, v := p.ask(4, request(id, "sort"))
	require.Equal(t, "#RETURN", kind, "%v", v)
	_, v = p.ask(4, request(id, "__getitem__", 0))
	require.Equal(t, "Decimal('-3')", pickleproto.Repr(v))
	p.ask(4, request(id, "append", decimal("1E+999999999")))
	kind, _ = p.ask(4, request(id, "sort"))
	require.Equal(t, "#ERROR", kind)
}
