package pickleproto

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Date is Python's datetime.date: a day of the proleptic Gregorian calendar, years 1 to 9999.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// TimeOfDay is Python's datetime.time.
type TimeOfDay struct {
	Hour, Minute, Second, Microsecond int
	Fold                              int            // 0 or 1: which of two equal wall times
	Zone                              *time.Location // nil when naive
}

// NaiveDateTime is a datetime.datetime without tzinfo: a wall clock's reading that names no
// instant. No zone is invented for it; In gives it one.
type NaiveDateTime struct {
	Year                              int
	Month                             time.Month
	Day                               int
	Hour, Minute, Second, Microsecond int
	Fold                              int // 0 or 1: which of two equal wall times
}

// TimeDelta is Python's datetime.timedelta in its normal form: Seconds from 0 to 86,399,
// Microseconds from 0 to 999,999, and Days with the sign, at most 999,999,999 of them.
type TimeDelta struct{ Days, Seconds, Microseconds int }

// ErrNanoseconds is the error for a time or duration that is no whole number of microseconds,
// which is all that Python's datetime holds.
var ErrNanoseconds = errors.New("pickle: Python's datetime holds microseconds; the value has nanoseconds")

// DateOf returns the day of t in t's location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// In returns the midnight that begins the day in loc.
func (d Date) In(loc *time.Location) time.Time {
	return NaiveDateTime{Year: d.Year, Month: d.Month, Day: d.Day}.In(loc)
}

// String is Python's str: 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

func (d Date) valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && d.Day <= daysIn(d.Year, d.Month)
}

func daysIn(year int, m time.Month) int {
	switch m {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	}
	return 31
}

// String is Python's str: 15:04:05, with microseconds only where there are any. A zone is left out.
func (t TimeOfDay) String() string {
	s := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Microsecond != 0 {
		s += fmt.Sprintf(".%06d", t.Microsecond)
	}
	return s
}

func (t TimeOfDay) valid() bool {
	in := func(v, n int) bool { return v >= 0 && v < n }
	return in(t.Hour, 24) && in(t.Minute, 60) && in(t.Second, 60) && in(t.Microsecond, 1_000_000) && in(t.Fold, 2)
}

// NaiveDateTimeOf returns t's wall clock without its zone. Nanoseconds are cut off.
func NaiveDateTimeOf(t time.Time) NaiveDateTime {
	y, m, d := t.Date()
	return NaiveDateTime{Year: y, Month: m, Day: d, Hour: t.Hour(), Minute: t.Minute(), Second: t.Second(), Microsecond: t.Nanosecond() / 1000, Fold: foldOf(t)}
}

// In returns the instant at which a clock in loc shows n. Of two such instants it is the one that
// Fold says; for a reading that a clock in loc skips, Fold says whether the offset before or after
// the gap counts, as Python's does.
func (n NaiveDateTime) In(loc *time.Location) time.Time {
	t := time.Date(n.Year, n.Month, n.Day, n.Hour, n.Minute, n.Second, n.Microsecond*1000, loc)
	wall := n.utc().Unix()
	start, end := t.ZoneBounds()
	for _, at := range []time.Time{start, end} {
		if at.IsZero() {
			continue
		}
		before, after := offsetsAround(at)
		if wall >= at.Unix()+min(before, after) && wall < at.Unix()+max(before, after) {
			offset := before
			if n.Fold == 1 {
				offset = after
			}
			return time.Unix(wall-offset, int64(n.Microsecond)*1000).In(loc)
		}
	}
	return t
}

// foldOf returns 1 if t's wall clock has shown the same before, at an earlier offset.
func foldOf(t time.Time) int {
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return 0
	}
	if before, after := offsetsAround(start); before > after && t.Before(start.Add(time.Duration(before-after)*time.Second)) {
		return 1
	}
	return 0
}

// offsetsAround returns the seconds east of UTC just before and from a transition on.
func offsetsAround(at time.Time) (before, after int64) {
	_, b := at.Add(-time.Second).Zone()
	_, a := at.Zone()
	return int64(b), int64(a)
}

func (n NaiveDateTime) utc() time.Time {
	return time.Date(n.Year, n.Month, n.Day, n.Hour, n.Minute, n.Second, n.Microsecond*1000, time.UTC)
}

// Date returns the day.
func (n NaiveDateTime) Date() Date { return Date{n.Year, n.Month, n.Day} }

// TimeOfDay returns the time of day.
func (n NaiveDateTime) TimeOfDay() TimeOfDay {
	return TimeOfDay{Hour: n.Hour, Minute: n.Minute, Second: n.Second, Microsecond: n.Microsecond, Fold: n.Fold}
}

// String is Python's str: 2006-01-02 15:04:05, with microseconds only where there are any.
func (n NaiveDateTime) String() string { return n.Date().String() + " " + n.TimeOfDay().String() }

func (n NaiveDateTime) valid() bool { return n.Date().valid() && n.TimeOfDay().valid() }

const maxDeltaDays = 999_999_999

// TimeDeltaOf returns d as a timedelta. It fails with ErrNanoseconds if d is no whole number of
// microseconds.
func TimeDeltaOf(d time.Duration) (TimeDelta, error) {
	if d%time.Microsecond != 0 {
		return TimeDelta{}, ErrNanoseconds
	}
	const day = int64(24 * time.Hour / time.Microsecond)
	us := d.Microseconds()
	days := us / day
	if us %= day; us < 0 {
		us, days = us+day, days-1
	}
	return TimeDelta{int(days), int(us / 1e6), int(us % 1e6)}, nil
}

// Duration returns the same span as a time.Duration; false if it is longer than that holds, which
// is about 292 years.
func (d TimeDelta) Duration() (time.Duration, bool) {
	const maxDays = 106_752 // 2^63 ns are 106,751.99 days
	if d.Days < -maxDays-1 || d.Days > maxDays {
		return 0, false
	}
	us := new(big.Int).Mul(d.micros(), big.NewInt(1000))
	return time.Duration(us.Int64()), us.IsInt64()
}

func (d TimeDelta) micros() *big.Int {
	us := big.NewInt(int64(d.Days))
	us.Mul(us, big.NewInt(86400e6))
	return us.Add(us, big.NewInt(int64(d.Seconds)*1e6+int64(d.Microseconds)))
}

// String is Python's str: 1 day, 2:03:04.000005.
func (d TimeDelta) String() string {
	s := fmt.Sprintf("%d:%02d:%02d", d.Seconds/3600, d.Seconds/60%60, d.Seconds%60)
	if d.Microseconds != 0 {
		s += fmt.Sprintf(".%06d", d.Microseconds)
	}
	switch d.Days {
	case 0:
		return s
	case 1, -1:
		return fmt.Sprintf("%d day, %s", d.Days, s)
	}
	return fmt.Sprintf("%d days, %s", d.Days, s)
}

func (d TimeDelta) valid() bool {
	return d.Days >= -maxDeltaDays && d.Days <= maxDeltaDays && d.Seconds >= 0 && d.Seconds < 86400 && d.Microseconds >= 0 && d.Microseconds < 1_000_000
}

// parseTimeDelta reads timedelta(days, seconds, microseconds). Other numbers than a pickler writes
// are put into normal form, as the class does.
func parseTimeDelta(in *instance) (TimeDelta, error) {
	if len(in.args) > 3 || !in.plain() {
		return TimeDelta{}, badState("bad arguments")
	}
	var p [3]int64
	for i, a := range in.args {
		n, ok := intOf(a)
		// Beyond these sizes the result is out of range, whatever the others are.
		if !ok || n > 1<<62 || n < -1<<62 {
			return TimeDelta{}, badState("bad arguments")
		}
		p[i] = n
	}
	days, s, us := p[0], p[1], p[2]
	carry := func(v, n int64) (int64, int64) {
		q, r := v/n, v%n
		if r < 0 {
			q, r = q-1, r+n
		}
		return q, r
	}
	q, us := carry(us, 1e6)
	s += q
	q, s = carry(s, 86400)
	if days < -maxDeltaDays*2 || days > maxDeltaDays*2 {
		return TimeDelta{}, badState("out of range")
	}
	if days += q; days < -maxDeltaDays || days > maxDeltaDays {
		return TimeDelta{}, badState("out of range")
	}
	return TimeDelta{int(days), int(s), int(us)}, nil
}

func timeDeltaFrom(in *instance) (any, error) {
	d, err := parseTimeDelta(in)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parseDate reads date(state), four bytes.
func parseDate(in *instance) (Date, error) {
	if len(in.args) != 1 || !in.plain() {
		return Date{}, badState("bad arguments")
	}
	b, ok := bytesOf(in.args[0])
	if !ok || len(b) != 4 {
		return Date{}, badState("the state is not 4 bytes")
	}
	d := Date{int(b[0])<<8 | int(b[1]), time.Month(b[2]), int(b[3])}
	if !d.valid() {
		return Date{}, badState("out of range")
	}
	return d, nil
}

func dateFrom(in *instance) (any, error) {
	d, err := parseDate(in)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parseTimeOfDay reads time(state) and time(state, tzinfo), a state of six bytes.
func parseTimeOfDay(in *instance) (t TimeOfDay, tz any, err error) {
	b, tz, err := clockState(in, 6)
	if err != nil {
		return t, nil, err
	}
	t = timeOfDayBytes(b)
	t.Hour, t.Fold = t.Hour&0x7f, t.Hour>>7
	if !t.valid() {
		return t, nil, badState("out of range")
	}
	return t, tz, nil
}

func timeOfDayBytes(b string) TimeOfDay {
	return TimeOfDay{Hour: int(b[0]), Minute: int(b[1]), Second: int(b[2]), Microsecond: int(b[3])<<16 | int(b[4])<<8 | int(b[5])}
}

// clockState reads (state,) and (state, tzinfo). tz is nil for both a missing one and None.
func clockState(in *instance, size int) (b string, tz any, err error) {
	if len(in.args) < 1 || len(in.args) > 2 || !in.plain() {
		return "", nil, badState("bad arguments")
	}
	b, ok := bytesOf(in.args[0])
	if !ok || len(b) != size {
		return "", nil, badState("the state is not %d bytes", size)
	}
	if len(in.args) == 2 {
		tz = in.args[1]
	}
	return b, tz, nil
}

func timeOfDayFrom(in *instance) (any, error) {
	t, tz, err := parseTimeOfDay(in)
	if err != nil {
		return nil, err
	}
	if tz != nil {
		z, err := parseZone(tz)
		if err != nil {
			return nil, err
		}
		if t.Zone, err = z.location(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// parseDateTime reads datetime(state) and datetime(state, tzinfo), a state of ten bytes.
func parseDateTime(in *instance) (n NaiveDateTime, tz any, err error) {
	b, tz, err := clockState(in, 10)
	if err != nil {
		return n, nil, err
	}
	t := timeOfDayBytes(b[4:])
	n = NaiveDateTime{
		Year: int(b[0])<<8 | int(b[1]), Month: time.Month(b[2] & 0x7f), Day: int(b[3]),
		Hour: t.Hour, Minute: t.Minute, Second: t.Second, Microsecond: t.Microsecond, Fold: int(b[2] >> 7),
	}
	if !n.valid() {
		return n, nil, badState("out of range")
	}
	return n, tz, nil
}

func dateTimeFrom(in *instance) (any, error) {
	n, tz, err := parseDateTime(in)
	if err != nil {
		return nil, err
	}
	if tz == nil {
		return n, nil
	}
	z, err := parseZone(tz)
	if err != nil {
		return nil, err
	}
	return z.instant(n)
}

func (m *maker) timeDelta(d TimeDelta) (*Object, error) {
	if !d.valid() {
		return nil, outOfRange("TimeDelta", d)
	}
	return reduce("datetime", "timedelta", int64(d.Days), int64(d.Seconds), int64(d.Microseconds)), nil
}

func outOfRange(name string, v any) error {
	return &TypeError{Offset: -1, Msg: fmt.Sprintf("%s out of Python's range: %+v", name, v)}
}

func (m *maker) date(d Date) (*Object, error) {
	if !d.valid() {
		return nil, outOfRange("Date", d)
	}
	return reduce("datetime", "date", Bytes([]byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)})), nil
}

// Protocols 0 to 3 have no place for fold, and CPython drops it there without a word.

func (m *maker) timeOfDay(t TimeOfDay) (*Object, error) {
	if !t.valid() {
		return nil, outOfRange("TimeOfDay", t.String())
	}
	b := timeState(nil, t)
	if t.Fold == 1 && m.protocol > 3 {
		b[0] |= 0x80
	}
	if t.Zone == nil {
		return reduce("datetime", "time", Bytes(b)), nil
	}
	z, err := m.location(t.Zone)
	if err != nil {
		return nil, err
	}
	return reduce("datetime", "time", Bytes(b), z), nil
}

func timeState(b []byte, t TimeOfDay) []byte {
	return append(b, byte(t.Hour), byte(t.Minute), byte(t.Second), byte(t.Microsecond>>16), byte(t.Microsecond>>8), byte(t.Microsecond))
}

func (m *maker) naiveDateTime(n NaiveDateTime) (*Object, error) {
	if !n.valid() {
		return nil, outOfRange("NaiveDateTime", n.String())
	}
	return &Object{How: ByReduce, Callable: dateTimeClass, Args: Tuple{m.dateTimeState(n)}}, nil
}

// dateTimeClass is datetime.datetime: its name is a str of its own, apart from its module's.
var dateTimeClass = Global{Module: "datetime", Name: strings.Clone("datetime"), flags: distinctName}

func (m *maker) dateTimeState(n NaiveDateTime) Bytes {
	b := []byte{byte(n.Year >> 8), byte(n.Year), byte(n.Month), byte(n.Day)}
	if n.Fold == 1 && m.protocol > 3 {
		b[2] |= 0x80
	}
	return Bytes(timeState(b, n.TimeOfDay()))
}

func (m *maker) dateTime(t time.Time) (*Object, error) {
	if t.Nanosecond()%1000 != 0 {
		return nil, ErrNanoseconds
	}
	n := NaiveDateTimeOf(t)
	if !n.valid() {
		return nil, outOfRange("time.Time", t)
	}
	z, fixed, err := m.zoneOf(t)
	if err != nil {
		return nil, err
	}
	if fixed {
		n.Fold = 0 // at a fixed offset no reading comes twice
	}
	return &Object{How: ByReduce, Callable: dateTimeClass, Args: Tuple{m.dateTimeState(n), z}}, nil
}
