package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// ErrNotARecord is in the error of Record for a pickle that is not a log record's dict.
var ErrNotARecord = errors.New("logging: not a log record")

// attrs are the fields of a LogRecord that become attributes, in the order in which they are
// written.
var attrs = []struct{ python, slog string }{
	{"name", "logger"},
	{"pathname", "file"},
	{"lineno", "line"},
	{"funcName", "function"},
	{"process", "process"},
	{"processName", "process_name"},
	{"thread", "thread"},
	{"threadName", "thread_name"},
	{"taskName", "task"},
	{"exc_text", "exception"},
	{"stack_info", "stack"},
}

// isExtra tells fields that are none of LogRecord's own. Of these, some are neither in attrs nor
// time, level and message, because they say nothing more than others do.
func isExtra(field string) bool {
	switch field {
	case "msg", "args", "levelno", "levelname", "created",
		"msecs", "relativeCreated", "filename", "module", "exc_info",
		"message", "asctime": // of a Formatter that has seen the record before
		return false
	}
	for _, a := range attrs {
		if a.python == field {
			return false
		}
	}
	return true
}

// levelNames are the names that slog's levels stand for as well.
var levelNames = map[int64]string{10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR"}

// Record returns the log record that data, the pickle of a LogRecord's dict, stands for: see the
// package comment. Its error wraps ErrNotARecord, or is that of the decoding.
func Record(data []byte, opts ...pickleproto.Option) (slog.Record, error) {
	x, err := pickleproto.Native.Decode(data, opts...)
	if err != nil {
		return slog.Record{}, err
	}
	d, ok := x.(*pickleproto.Dict)
	if !ok {
		return slog.Record{}, fmt.Errorf("%w: it is a %T", ErrNotARecord, x)
	}
	msg, hasMsg := d.Get("msg")
	levelno, _ := d.Get("levelno")
	level, isLevel := number(levelno)
	if !hasMsg || !isLevel {
		return slog.Record{}, fmt.Errorf("%w: msg or levelno is missing", ErrNotARecord)
	}
	r := slog.NewRecord(created(d), slogLevel(level), text(msg), 0)
	if v, ok := d.Get("levelname"); ok && v != nil && text(v) != levelNames[int64(level)] {
		r.AddAttrs(slog.String("levelname", text(v)))
	}
	if args, ok := d.Get("args"); ok && args != nil {
		// SocketHandler has put them into msg. One that has not leaves them beside it.
		if t, isTuple := args.(pickleproto.Tuple); !isTuple || len(t) > 0 {
			r.AddAttrs(slog.Any("args", value(args)))
		}
	}
	for _, a := range attrs {
		if v, ok := d.Get(a.python); ok && v != nil {
			r.AddAttrs(slog.Attr{Key: a.slog, Value: value(v)})
		}
	}
	var extra []any
	for k, v := range d.All() {
		if name := text(k); isExtra(name) {
			extra = append(extra, slog.Attr{Key: name, Value: value(v)})
		}
	}
	if extra != nil {
		r.AddAttrs(slog.Group("extra", extra...))
	}
	return r, nil
}

// created is the record's time, or now if it has none that is one.
func created(d *pickleproto.Dict) time.Time {
	v, _ := d.Get("created")
	f, ok := number(v)
	// The years 1 to 9999, outside which time has no text.
	if !ok || f < -62135596800 || f > 253402300799 {
		return time.Now()
	}
	whole := math.Floor(f)
	return time.Unix(int64(whole), int64(math.Round((f-whole)*1e6))*1000)
}

// slogLevel maps Python's levels to slog's: 10 of the one are 4 of the other, and INFO is INFO.
func slogLevel(level float64) slog.Level {
	return slog.Level(math.Round((min(max(level, -1e6), 1e6) - 20) * 4 / 10))
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case pickleproto.Long:
		return float64(v), true
	case pickleproto.Int:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	}
	return 0, false
}

// text is Python's str of v, as valid UTF-8.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.ToValidUTF8(v, "\ufffd")
	case pickleproto.ByteString:
		return strings.ToValidUTF8(string(v), "\ufffd")
	}
	return strings.ToValidUTF8(pickleproto.Repr(v), "\ufffd")
}

// value is v as far as it is a plain value, else its repr.
func value(v any) slog.Value {
	switch v := v.(type) {
	case nil, bool:
		return slog.AnyValue(v)
	case int64:
		return slog.Int64Value(v)
	case pickleproto.Long:
		return slog.Int64Value(int64(v))
	case pickleproto.Int:
		return slog.Int64Value(int64(v))
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) { // JSON has no words for these
			return slog.Float64Value(v)
		}
	case *big.Int:
		return slog.StringValue(v.String())
	}
	return slog.StringValue(text(v))
}
