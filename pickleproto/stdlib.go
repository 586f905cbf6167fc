package pickleproto

import (
	"fmt"
	"math/big"
	"net/netip"
	"time"
)

// The classes of Python's standard library that have a Go type of their own.
//
// In the value model they are inert *Objects and Globals like any others; what stands here is the
// table that turns the exact forms that CPython's C pickler writes, from 2.7 to 3.13, into Go
// values and back. All of it is pure: nothing is called, nothing is kept, and a state that the
// class would refuse is an error.
//
//	Python                                     Go
//	datetime.datetime with tzinfo              time.Time         (also one of pytz or dateutil)
//	datetime.datetime without                  NaiveDateTime
//	datetime.date, datetime.time               Date, TimeOfDay
//	datetime.timedelta                         TimeDelta         (and from time.Duration)
//	timezone, zoneinfo.ZoneInfo                *time.Location
//	decimal.Decimal                            Decimal
//	fractions.Fraction                         *big.Rat
//	uuid.UUID                                  UUID
//	OrderedDict, defaultdict, Counter          *OrderedDict, *DefaultDict, *Counter
//	collections.deque                          *Deque
//	types.SimpleNamespace                      *SimpleNamespace
//	range, slice                               Range, Slice
//	array.array                                *Array            (its Data is []int32, []float64 ...)
//	pathlib.PosixPath, PurePosixPath           Path, PurePath
//	pathlib.WindowsPath, PureWindowsPath       WindowsPath, PureWindowsPath
//	ipaddress.IPv4Address, IPv6Address         netip.Addr
//	ipaddress.IPv4Network, IPv6Network         netip.Prefix
//	ipaddress.IPv4Interface, IPv6Interface     IPInterface
//	builtin exceptions, and a few others       *Exception
//	Enum members                               EnumMember        (to Python only: class(value) may be any class)
//	Ellipsis, NotImplemented                   Ellipsis, NotImplemented (Globals)
//
// For the binding:
//
//	fromObject(o)            *Object -> one of the Go values above. known is false for a class that is
//	                         not in the table, and for a subclass or a form that the Go type could
//	                         not hold whole (an OrderedDict with attributes); the error is for a
//	                         known class with a state that Python would refuse, or Go cannot hold.
//	convert(o, meter)        fromObject where one call converts many objects: they share the meter.
//	maker.object(v)          one of the Go values above -> *Object or Global to encode, as CPython 3.13
//	                         writes it at that protocol. known is false for any other Go value. One
//	                         maker serves one Marshal: it shares time zones as Python shares them.
//	toObject(v, protocol)    the same with a maker of its own.
//	instanceOf(o)            class, arguments, state, items of an *Object, however it was made
//	(*instance).attributes   the attributes of a plain object, a dataclass, a slots class
//	newInstance              a plain object or dataclass to encode
//	newNamedTuple            a namedtuple to encode
//	exceptionOf(o)           *Exception from any instance, for classes that were registered

// Ellipsis and NotImplemented are the two singletons that pickle writes by name.
var (
	Ellipsis       = Global{Module: "builtins", Name: "Ellipsis"}
	NotImplemented = Global{Module: "builtins", Name: "NotImplemented"}
)

// stdlibClass is one row of the table.
type stdlibClass struct {
	kind stdlibKind
	// from returns the Go value of an instance. It returns nil, nil for a form that only a subclass
	// or another program writes, which then stays an *Object.
	from func(in *instance) (any, error)
}

// stdlibKind groups the classes that compare with each other.
type stdlibKind uint8

const (
	kindNone stdlibKind = iota
	kindDateTime
	kindDate
	kindTime
	kindTimeDelta
	kindTimezone
	kindDecimal
	kindFraction
	kindUUID
	kindOrderedDict
	kindDefaultDict
	kindCounter
	kindDeque
	kindNamespace
	kindRange
	kindSlice
	kindArray
	kindPath
	kindAddress
	kindNetwork
	kindInterface
)

// stdlib looks a class up by its name in Python 3. The table is written once, before main.
func stdlib(g Global) (stdlibClass, bool) {
	c, ok := stdlibTable[globalName{g.Module, g.Name}]
	return c, ok
}

var stdlibTable = map[globalName]stdlibClass{
	{"datetime", "datetime"}:              {kindDateTime, dateTimeFrom},
	{"datetime", "date"}:                  {kindDate, dateFrom},
	{"datetime", "time"}:                  {kindTime, timeOfDayFrom},
	{"datetime", "timedelta"}:             {kindTimeDelta, timeDeltaFrom},
	{"datetime", "timezone"}:              {kindTimezone, timezoneFrom},
	{"decimal", "Decimal"}:                {kindDecimal, decimalFrom},
	{"fractions", "Fraction"}:             {kindFraction, fractionFrom},
	{"uuid", "UUID"}:                      {kindUUID, uuidFrom},
	{"collections", "OrderedDict"}:        {kindOrderedDict, orderedDictFrom},
	{"collections", "defaultdict"}:        {kindDefaultDict, defaultDictFrom},
	{"collections", "Counter"}:            {kindCounter, counterFrom},
	{"collections", "deque"}:              {kindDeque, dequeFrom},
	{"types", "SimpleNamespace"}:          {kindNamespace, namespaceFrom},
	{"builtins", "range"}:                 {kindRange, rangeFrom},
	{"builtins", "slice"}:                 {kindSlice, sliceFrom},
	{"array", "array"}:                    {kindArray, arrayFrom},
	{"array", "_array_reconstructor"}:     {kindArray, arrayFrom},
	{"pathlib", "PosixPath"}:              {kindPath, posixPathFrom},
	{"pathlib", "PurePosixPath"}:          {kindPath, posixPathFrom},
	{"pathlib", "WindowsPath"}:            {kindPath, windowsPathFrom},
	{"pathlib", "PureWindowsPath"}:        {kindPath, windowsPathFrom},
	{"pathlib._local", "PosixPath"}:       {kindPath, posixPathFrom}, // 3.13 alone
	{"pathlib._local", "PurePosixPath"}:   {kindPath, posixPathFrom},
	{"pathlib._local", "WindowsPath"}:     {kindPath, windowsPathFrom},
	{"pathlib._local", "PureWindowsPath"}: {kindPath, windowsPathFrom},
	{"ipaddress", "IPv4Address"}:          {kindAddress, addressFrom},
	{"ipaddress", "IPv6Address"}:          {kindAddress, addressFrom},
	{"ipaddress", "IPv4Network"}:          {kindNetwork, networkFrom},
	{"ipaddress", "IPv6Network"}:          {kindNetwork, networkFrom},
	{"ipaddress", "IPv4Interface"}:        {kindInterface, interfaceFrom},
	{"ipaddress", "IPv6Interface"}:        {kindInterface, interfaceFrom},
}

// fromObject returns the Go value of an instance of a class of the table.
func fromObject(o *Object) (v any, known bool, err error) { return convert(o, nil) }

// convert is fromObject with the meter of all the conversions of one call.
func convert(o *Object, m *meter) (v any, known bool, err error) {
	if loc, ok, err := zoneInfoOf(o); ok || err != nil {
		return loc, ok || err != nil, err
	}
	in, ok := instanceOf(o)
	if !ok {
		return nil, false, nil
	}
	in.meter = m
	c, ok := stdlib(in.class)
	if !ok {
		if isException(in.class) {
			if e, ok := exceptionDepth(o, m, 0); ok {
				return e, true, nil
			}
		}
		return nil, false, nil
	}
	v, err = c.from(&in)
	if _, isLimit := err.(*LimitError); isLimit {
		return nil, true, err
	}
	if err != nil {
		return nil, true, &TypeError{Python: in.class.Name, Offset: -1, Msg: in.class.Module + "." + in.class.Name + ": " + err.Error()}
	}
	return v, v != nil, nil
}

// maker makes the value-model form of Go values for one pickle.
type maker struct {
	protocol int
	zones    map[zoneKey]*Object
}

// toObject is maker.object for a single value.
func toObject(v any, protocol int) (any, bool, error) {
	m := maker{protocol: protocol}
	return m.object(v)
}

// object returns what to encode for one of the Go types of the table; false for any other type.
func (m *maker) object(v any) (any, bool, error) {
	switch v := v.(type) {
	case time.Time:
		o, err := m.dateTime(v)
		return o, true, err
	case NaiveDateTime:
		o, err := m.naiveDateTime(v)
		return o, true, err
	case Date:
		o, err := m.date(v)
		return o, true, err
	case TimeOfDay:
		o, err := m.timeOfDay(v)
		return o, true, err
	case TimeDelta:
		o, err := m.timeDelta(v)
		return o, true, err
	case time.Duration:
		d, err := TimeDeltaOf(v)
		if err != nil {
			return nil, true, err
		}
		o, err := m.timeDelta(d)
		return o, true, err
	case *time.Location:
		o, err := m.location(v)
		return o, true, err
	case Decimal:
		return reduce("decimal", "Decimal", v.String()), true, nil
	case *big.Rat:
		if v == nil {
			return nil, true, nil
		}
		return reduce("fractions", "Fraction", normalInt(v.Num()), normalInt(v.Denom())), true, nil
	case UUID:
		o, err := m.uuid(v)
		return o, true, err
	case *OrderedDict:
		if v == nil {
			return nil, true, nil
		}
		return withPairs(reduce("collections", "OrderedDict"), v.Dict), true, nil
	case *DefaultDict:
		if v == nil {
			return nil, true, nil
		}
		if v.Factory == nil {
			return withPairs(reduce("collections", "defaultdict"), v.Dict), true, nil
		}
		return withPairs(reduce("collections", "defaultdict", v.Factory), v.Dict), true, nil
	case *Counter:
		if v == nil {
			return nil, true, nil
		}
		return reduce("collections", "Counter", orEmpty(v.Dict)), true, nil
	case *Deque:
		if v == nil {
			return nil, true, nil
		}
		return m.deque(v), true, nil
	case *SimpleNamespace:
		if v == nil {
			return nil, true, nil
		}
		o := reduce("types", "SimpleNamespace")
		o.Ops = []Op{{Kind: OpBuild, Items: []any{orEmpty(v.Dict)}}}
		return o, true, nil
	case Range:
		return reduce("builtins", "range", v.Start, v.Stop, v.Step), true, nil
	case Slice:
		return reduce("builtins", "slice", v.Start, v.Stop, v.Step), true, nil
	case *Array:
		if v == nil {
			return nil, true, nil
		}
		o, err := m.array(v)
		return o, true, err
	case Path:
		return reduce("pathlib", "PosixPath", string(v)), true, nil
	case PurePath:
		return reduce("pathlib", "PurePosixPath", string(v)), true, nil
	case WindowsPath:
		return reduce("pathlib", "WindowsPath", string(v)), true, nil
	case PureWindowsPath:
		return reduce("pathlib", "PureWindowsPath", string(v)), true, nil
	case netip.Addr:
		o, err := m.address(v)
		return o, true, err
	case netip.Prefix:
		o, err := m.network(v)
		return o, true, err
	case IPInterface:
		o, err := m.ipInterface(v)
		return o, true, err
	case *Exception:
		if v == nil {
			return nil, true, nil
		}
		o, err := m.exception(v, 0)
		return o, true, err
	case EnumMember:
		return &Object{How: ByReduce, Callable: v.Class, Args: Tuple{v.Value}}, true, nil
	}
	return nil, false, nil
}

// reduce is module.name(*args).
func reduce(module, name string, args ...any) *Object {
	return &Object{How: ByReduce, Callable: Global{Module: module, Name: name}, Args: Tuple(args)}
}

// withPairs makes o a mapping of d's items, as pickle does for dict subclasses.
func withPairs(o *Object, d *Dict) *Object {
	if d == nil || d.Len() == 0 {
		return o
	}
	items := make([]any, 0, 2*d.Len())
	for k, v := range d.All() {
		items = append(items, k, v)
	}
	o.Ops = append(o.Ops, Op{Kind: OpSetItems, Items: items})
	return o
}

func orEmpty(d *Dict) *Dict {
	if d == nil {
		return NewDict()
	}
	return d
}

func badState(format string, args ...any) error { return fmt.Errorf(format, args...) }
