package pickleproto

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestForeignZones: the time zones of pytz and python-dateutil, in the forms that they pickle.
func TestForeignZones(t *testing.T) {
	mustZone(t, "Europe/Berlin")
	state := Bytes("\x07\xe4\x0a\x19\x02\x1e\x00\x00\x00\x05") // 2020-10-25 02:30:00.000005, twice in Berlin
	delta := func(days, seconds int64) *Object { return reduce("datetime", "timedelta", days, seconds, int64(0)) }
	for _, c := range []struct {
		tz   *Object
		want string
		zone string
	}{
		{reduce("pytz", "_UTC"), "2020-10-25T02:30:00.000005Z", "UTC"},
		{reduce("dateutil.tz.tz", "tzutc"), "2020-10-25T02:30:00.000005Z", "UTC"},
		{reduce("pytz", "_p", "Europe/Berlin", int64(7200), int64(3600), "CEST"), "2020-10-25T00:30:00.000005Z", "Europe/Berlin"},
		{reduce("pytz", "_p", "Europe/Berlin", int64(3600), int64(0), "CET"), "2020-10-25T01:30:00.000005Z", "Europe/Berlin"},
		{reduce("pytz", "_p", "Europe/Atlantis", int64(3600), int64(0), "CET"), "2020-10-25T01:30:00.000005Z", "CET"},
		{reduce("pytz", "_p", "Etc/GMT+5"), "2020-10-25T07:30:00.000005Z", "Etc/GMT+5"},
		{reduce("pytz", "FixedOffset", int64(-90)), "2020-10-25T04:00:00.000005Z", ""},
		{reduce("dateutil.tz.tz", "tzoffset", "X", delta(0, 3600)), "2020-10-25T01:30:00.000005Z", "X"},
		{reduce("dateutil.tz.tz", "tzoffset", nil, delta(-1, 82800)), "2020-10-25T03:30:00.000005Z", ""},
	} {
		v, known, err := fromObject(reduce("datetime", "datetime", state, c.tz))
		require.NoError(t, err, Repr(c.tz))
		require.True(t, known)
		got := v.(time.Time)
		require.Equal(t, c.want, got.UTC().Format(time.RFC3339Nano), Repr(c.tz))
		require.Equal(t, c.zone, got.Location().String())
	}
	for _, tz := range []*Object{
		reduce("pytz", "_UTC", int64(1)), reduce("pytz", "_p"), reduce("pytz", "_p", int64(1)), reduce("pytz", "_p", "Nowhere/Land"), reduce("pytz", "_p", "x", "y", "z", "w"), reduce("pytz", "_p", "Europe/Berlin", int64(86400), int64(0), "X"),
		reduce("pytz", "FixedOffset", int64(1440)), reduce("pytz", "FixedOffset", "x"), reduce("dateutil.tz.tz", "tzoffset", "X"), reduce("dateutil.tz.tz", "tzoffset", "X", int64(1)), reduce("dateutil.tz.tz", "tzoffset", "X", delta(1, 0)), reduce("dateutil.tz.tz", "tzoffset", "X", reduce("app", "delta")),
	} {
		_, known, err := fromObject(reduce("datetime", "datetime", state, tz))
		require.True(t, known)
		require.Error(t, err, Repr(tz))
	}

	// The two readings of that hour are two instants, an hour apart; UTC is UTC whoever says so.
	at := func(tz any) *Object { return reduce("datetime", "datetime", state, tz) }
	summer, winter := reduce("pytz", "_p", "Europe/Berlin", int64(7200), int64(3600), "CEST"), reduce("pytz", "_p", "Europe/Berlin", int64(3600), int64(0), "CET")
	require.False(t, Equal(at(summer), at(winter)))
	require.True(t, Equal(at(summer), at(reduce("pytz", "FixedOffset", int64(120)))))
	require.True(t, Equal(at(reduce("pytz", "_UTC")), at(utcZone)))
}
