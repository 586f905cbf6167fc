package pickleproto

import (
	"math/big"
	"strings"
	"sync"
	"time"
)

// zone is a tzinfo: a timezone of fixed offset, or a ZoneInfo with its key.
type zone struct {
	key    string    // of ZoneInfo; empty for a fixed offset
	cached bool      // ZoneInfo(key) rather than ZoneInfo.no_cache(key)
	offset TimeDelta // of a fixed one
	name   string    // of a fixed one; named tells an empty one from none
	named  bool
	within string // the region that a fixed offset of pytz is one of; else empty
}

// utc reports that Python would load z as the singleton timezone.utc.
func (z zone) utc() bool { return z.key == "" && !z.named && z.offset == TimeDelta{} }

// parseZone reads a datetime.timezone, a zoneinfo.ZoneInfo, or what pytz and dateutil write.
func parseZone(v any) (zone, error) {
	o, ok := v.(*Object)
	if !ok {
		return zone{}, badState("tzinfo is no timezone and no ZoneInfo")
	}
	if z, ok := parseZoneInfo(o); ok {
		return z, nil
	}
	in, ok := instanceOf(o)
	if !ok {
		return zone{}, badState("tzinfo is no timezone and no ZoneInfo")
	}
	if in.class == (Global{Module: "datetime", Name: "timezone"}) {
		return parseTimezone(&in)
	}
	if z, ok := parseForeignZone(&in); ok {
		return z, nil
	}
	return zone{}, badState("tzinfo is no timezone and no ZoneInfo")
}

// parseForeignZone reads the time zones of pytz and dateutil, which is all that programs for Python
// 2 and before 3.9 have: read, never written. pytz fixes the offset of each time itself:
// _p(region, offset, dst, abbreviation).
func parseForeignZone(in *instance) (z zone, ok bool) {
	if !in.plain() {
		return z, false
	}
	seconds := func(v any, unit int64) bool {
		n, ok := intOf(v)
		if !ok || n <= -86400/unit || n >= 86400/unit {
			return false
		}
		z.offset = TimeDelta{Seconds: int(n * unit)}
		if n < 0 {
			z.offset = TimeDelta{-1, 86400 + int(n*unit), 0}
		}
		return true
	}
	args := in.args
	switch in.class {
	case Global{Module: "pytz", Name: "_UTC"}, Global{Module: "dateutil.tz.tz", Name: "tzutc"}:
		return z, len(args) == 0
	case Global{Module: "pytz", Name: "FixedOffset"}:
		return z, len(args) == 1 && seconds(args[0], 60)
	case Global{Module: "pytz", Name: "_p"}:
		switch len(args) {
		case 1:
			z.key, ok = textOf(args[0])
			return z, ok && z.key != ""
		case 4:
			z.within, ok = textOf(args[0])
			z.name, z.named = textOf(args[3])
			return z, ok && z.named && seconds(args[1], 1)
		}
	case Global{Module: "dateutil.tz.tz", Name: "tzoffset"}:
		if len(args) != 2 {
			return z, false
		}
		z.name, z.named = textOf(args[0])
		o, ok := args[1].(*Object)
		if !ok {
			return z, false
		}
		delta, ok := instanceOf(o)
		if !ok || delta.class != (Global{Module: "datetime", Name: "timedelta"}) {
			return z, false
		}
		var err error
		z.offset, err = parseTimeDelta(&delta)
		return z, err == nil && z.validOffset()
	}
	return z, false
}

// validOffset reports whether a fixed offset is less than a day.
func (z zone) validOffset() bool {
	s := z.offset
	return s.Days == 0 || s.Days == -1 && (s.Seconds > 0 || s.Microseconds > 0)
}

// parseTimezone reads timezone(timedelta) and timezone(timedelta, name).
func parseTimezone(in *instance) (z zone, err error) {
	if len(in.args) < 1 || len(in.args) > 2 || !in.plain() {
		return z, badState("bad arguments of timezone")
	}
	o, ok := in.args[0].(*Object)
	if !ok {
		return z, badState("the offset of timezone is no timedelta")
	}
	d, ok := instanceOf(o)
	if !ok || d.class != (Global{Module: "datetime", Name: "timedelta"}) {
		return z, badState("the offset of timezone is no timedelta")
	}
	if z.offset, err = parseTimeDelta(&d); err != nil {
		return z, err
	}
	if !z.validOffset() {
		return z, badState("the offset of timezone is a day or more")
	}
	if len(in.args) == 2 {
		if z.name, z.named = textOf(in.args[1]); !z.named {
			return z, badState("the name of timezone is no str")
		}
	}
	return z, nil
}

// parseZoneInfo reads ZoneInfo._unpickle(key, from_cache), where the bound method is written as
// getattr(ZoneInfo, '_unpickle') up to protocol 3 and by C, and as a dotted name by the Python one.
func parseZoneInfo(o *Object) (z zone, ok bool) {
	if o.How != ByReduce || len(o.Ops) != 0 {
		return z, false
	}
	switch f := o.Callable.(type) {
	case Global:
		if f.Module != "zoneinfo" || f.Name != "ZoneInfo._unpickle" {
			return z, false
		}
	case *Object:
		g, isGlobal := f.Callable.(Global)
		args, isTuple := f.Args.(Tuple)
		if !isGlobal || !isTuple || len(args) != 2 || f.How != ByReduce || len(f.Ops) != 0 || python3Name(g) != (Global{Module: "builtins", Name: "getattr"}) {
			return z, false
		}
		class, ok1 := args[0].(Global)
		name, ok2 := args[1].(string)
		if !ok1 || !ok2 || python3Name(class) != (Global{Module: "zoneinfo", Name: "ZoneInfo"}) || name != "_unpickle" {
			return z, false
		}
	default:
		return z, false
	}
	args, isTuple := o.Args.(Tuple)
	if !isTuple || len(args) != 2 {
		return z, false
	}
	key, ok1 := textOf(args[0])
	cached, ok2 := intOf(args[1])
	return zone{key: key, cached: cached != 0}, ok1 && ok2 && key != ""
}

// zoneInfoOf returns the location that a ZoneInfo object names.
func zoneInfoOf(o *Object) (*time.Location, bool, error) {
	z, ok := parseZoneInfo(o)
	if !ok {
		return nil, false, nil
	}
	loc, err := z.location()
	if err != nil {
		return nil, true, &TypeError{Python: "ZoneInfo", Offset: -1, Msg: "zoneinfo.ZoneInfo: " + err.Error()}
	}
	return loc, true, nil
}

func timezoneFrom(in *instance) (any, error) {
	z, err := parseTimezone(in)
	if err != nil {
		return nil, err
	}
	loc, err := z.location()
	if err != nil {
		return nil, err
	}
	return loc, nil
}

// location returns z for Go. A timezone without a name becomes a location without one.
func (z zone) location() (*time.Location, error) {
	if z.key != "" {
		if !validZoneKey(z.key) {
			return nil, badState("not the name of a time zone")
		}
		return loadZone(z.key)
	}
	if z.within != "" && validZoneKey(z.within) {
		if loc, err := loadZone(z.within); err == nil {
			return loc, nil
		}
	}
	if z.utc() {
		return time.UTC, nil
	}
	if z.offset.Microseconds != 0 {
		return nil, badState("a Go location has no offset of less than a second")
	}
	return time.FixedZone(z.name, z.seconds()), nil
}

// loadedZones keeps what time.LoadLocation read from the tz database, for the life of the process:
// a pickle may name one zone for each of its times. Only zones that exist are kept, at most
// maxLoadedZones (the database has about 600), and by any number of goroutines.
var loadedZones struct {
	sync.RWMutex
	m map[string]*time.Location
}

const maxLoadedZones = 1024

func loadZone(key string) (*time.Location, error) {
	loadedZones.RLock()
	loc := loadedZones.m[key]
	loadedZones.RUnlock()
	if loc != nil {
		return loc, nil
	}
	loc, err := time.LoadLocation(key)
	if err != nil {
		return nil, err
	}
	loadedZones.Lock()
	defer loadedZones.Unlock()
	if loadedZones.m == nil {
		loadedZones.m = map[string]*time.Location{}
	}
	if len(loadedZones.m) < maxLoadedZones {
		loadedZones.m[strings.Clone(key)] = loc
	}
	return loc, nil
}

func (z zone) seconds() int { return z.offset.Days*86400 + z.offset.Seconds }

// instant returns the moment at which a clock in z shows n.
func (z zone) instant(n NaiveDateTime) (time.Time, error) {
	loc, err := z.location()
	if err != nil {
		return time.Time{}, err
	}
	if z.within != "" {
		return time.Unix(n.utc().Unix()-int64(z.seconds()), int64(n.Microsecond)*1000).In(loc), nil
	}
	return n.In(loc), nil
}

// micros returns the microseconds since year 1 of the moment at which a clock in z shows n.
func (z zone) micros(n NaiveDateTime) (*big.Int, error) {
	if z.key == "" {
		us := big.NewInt(n.utc().UnixMicro())
		return us.Sub(us, z.offset.micros()), nil
	}
	t, err := z.instant(n)
	if err != nil {
		return nil, err
	}
	return big.NewInt(t.UnixMicro()), nil
}

// validZoneKey keeps a name from the wire to what the tz database has: no absolute path, no way up,
// not the machine's own zone.
func validZoneKey(key string) bool {
	if len(key) > 64 || key == "Local" {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" {
			return false
		}
		for _, c := range []byte(part) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '+') {
				return false
			}
		}
	}
	return true
}

// zoneKey is what makes two tzinfos of one pickle the same object.
type zoneKey struct {
	name    string
	seconds int
	fixed   bool
}

// utcZone is timezone.utc: shared by all pickles, never changed.
var utcZone = reduce("datetime", "timezone", reduce("datetime", "timedelta", int64(0), int64(0), int64(0)))

// zoneOf returns the tzinfo of t: timezone.utc, a timezone for a location of fixed offset and for
// Local (with its abbreviation, as datetime.astimezone makes it), a ZoneInfo for any other.
func (m *maker) zoneOf(t time.Time) (o *Object, fixed bool, err error) {
	loc := t.Location()
	if loc == time.UTC {
		return utcZone, true, nil
	}
	name, seconds := t.Zone()
	start, end := t.ZoneBounds()
	if loc == time.Local || start.IsZero() && end.IsZero() && name == loc.String() {
		o, err := m.fixedZone(name, seconds)
		return o, true, err
	}
	o, err = m.namedZone(loc.String())
	return o, false, err
}

// location returns the tzinfo for a location apart from any time.
func (m *maker) location(loc *time.Location) (*Object, error) {
	if loc == nil {
		loc = time.UTC
	}
	if loc == time.Local {
		return nil, &TypeError{Offset: -1, Msg: "time.Local has no name and no one offset that Python could be told"}
	}
	o, _, err := m.zoneOf(time.Unix(0, 0).In(loc))
	return o, err
}

func (m *maker) fixedZone(name string, seconds int) (*Object, error) {
	if seconds <= -86400 || seconds >= 86400 {
		return nil, outOfRange("offset of a time zone", seconds)
	}
	return m.zone(zoneKey{name, seconds, true}, func() *Object {
		days, s := int64(0), int64(seconds)
		if s < 0 {
			days, s = -1, s+86400
		}
		delta := reduce("datetime", "timedelta", days, s, int64(0))
		if name == "" {
			return reduce("datetime", "timezone", delta)
		}
		return reduce("datetime", "timezone", delta, name)
	}), nil
}

func (m *maker) namedZone(key string) (*Object, error) {
	if !validZoneKey(key) {
		return nil, &TypeError{Offset: -1, Msg: "location " + clip(key) + " has no name that Python's zoneinfo would know"}
	}
	return m.zone(zoneKey{name: key}, func() *Object {
		unpickle := reduce("builtins", "getattr", Global{Module: "zoneinfo", Name: "ZoneInfo"}, "_unpickle")
		return &Object{How: ByReduce, Callable: unpickle, Args: Tuple{key, int64(1)}}
	}), nil
}

func (m *maker) zone(k zoneKey, make_ func() *Object) *Object {
	if o := m.zones[k]; o != nil {
		return o
	}
	if m.zones == nil {
		m.zones = map[zoneKey]*Object{}
	}
	o := make_()
	m.zones[k] = o
	return o
}

// clip shortens text that came from outside for an error.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "?")
}
