package pickleproto

import (
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"time"
)

// stdlibTypes are the Go types of the table of stdlib classes, as a Go program may have them in
// its structs: see stdlib.go.
var stdlibTypes = func() map[reflect.Type]bool {
	types := map[reflect.Type]bool{}
	for _, v := range []any{
		time.Time{}, time.Duration(0), NaiveDateTime{}, Date{}, TimeOfDay{}, TimeDelta{}, (*time.Location)(nil),
		Decimal{}, (*big.Rat)(nil), big.Rat{}, UUID{}, Range{}, Slice{}, (*Array)(nil), Array{},
		(*OrderedDict)(nil), OrderedDict{}, (*DefaultDict)(nil), DefaultDict{}, (*Counter)(nil), Counter{},
		(*Deque)(nil), Deque{}, (*SimpleNamespace)(nil), SimpleNamespace{},
		Path(""), PurePath(""), WindowsPath(""), PureWindowsPath(""),
		netip.Addr{}, netip.Prefix{}, IPInterface{}, (*Exception)(nil), Exception{}, EnumMember{},
	} {
		types[reflect.TypeOf(v)] = true
	}
	return types
}()

func stdlibType(t reflect.Type) bool { return stdlibTypes[t] }

// stdlibInto converts x into the Go type t, which is of the table. ok is false when x is no
// instance of the class that t stands for; v is then what it is an instance of, nil if the table
// does not say. An instance of a class that the table does not have may be an exception of the
// program's, where the Go type says that it is one.
func stdlibInto(x any, t reflect.Type, m *meter) (v any, ok bool, err error) {
	o, isObject := x.(*Object)
	if !isObject {
		return nil, false, nil
	}
	made, known, err := convert(o, m)
	if err != nil {
		return nil, false, err
	}
	if !known && (t == reflect.TypeFor[*Exception]() || t == reflect.TypeFor[Exception]()) {
		if e, isCall := calledException(o, m); isCall {
			made, known = e, true
		}
	}
	if !known || made == nil {
		return nil, false, nil
	}
	if d, isDelta := made.(TimeDelta); isDelta && t == reflect.TypeFor[time.Duration]() {
		duration, fits := d.Duration()
		if !fits {
			return nil, false, &TypeError{Offset: -1, Msg: fmt.Sprintf("%v is beyond time.Duration", d)}
		}
		return duration, true, nil
	}
	mt := reflect.TypeOf(made)
	switch {
	case mt == t:
		return made, true, nil
	case mt.Kind() == reflect.Pointer && mt.Elem() == t:
		return reflect.ValueOf(made).Elem().Interface(), true, nil
	}
	return made, false, nil
}
