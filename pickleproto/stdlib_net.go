package pickleproto

import (
	"encoding/hex"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// UUID is Python's uuid.UUID, its 16 bytes in the order of the text. Whether the UUID was made in a
// multiprocessing-safe way, which Python notes beside it, is not kept.
type UUID [16]byte

// String is Python's str: 8-4-4-4-12 hexadecimal digits.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// MarshalText is String.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads 32 hexadecimal digits, with hyphens or without.
func (u *UUID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err != nil || len(b) != len(u) {
		return badState("pickle: not a UUID")
	}
	copy(u[:], b)
	return nil
}

// parseUUID reads an instance with the state {'int': n}; is_safe beside it does not matter.
func parseUUID(in *instance) (u UUID, err error) {
	d, ok := in.state.(*Dict)
	if !ok || len(in.args) != 0 {
		return u, badState("bad state")
	}
	v, ok := d.Get("int")
	if !ok {
		v, _ = d.Get(ByteString("int"))
	}
	n, ok := bigOf(v)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return u, badState("int is not one of 128 bits")
	}
	n.FillBytes(u[:])
	return u, nil
}

func uuidFrom(in *instance) (any, error) {
	u, err := parseUUID(in)
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (m *maker) uuid(u UUID) (*Object, error) {
	state := NewDict()
	if err := state.Set("int", normalInt(new(big.Int).SetBytes(u[:]))); err != nil {
		return nil, err
	}
	return newInstance(Global{Module: "uuid", Name: "UUID"}, state, nil, m.protocol)
}

// IPInterface is Python's ipaddress.IPv4Interface or IPv6Interface: an address, which may have a
// zone, within a network of so many leading bits.
type IPInterface struct {
	Addr netip.Addr
	Bits int
}

// String is Python's str: 10.0.0.1/8.
func (i IPInterface) String() string { return i.Addr.String() + "/" + strconv.Itoa(i.Bits) }

func (i IPInterface) valid() bool {
	return i.Bits >= 0 && i.Bits <= i.Addr.BitLen() && i.Addr.IsValid()
}

func isV4(in *instance) bool { return strings.HasPrefix(in.class.Name, "IPv4") }

// parseAddress reads IPv4Address(n) and IPv6Address(n), and the text that 3.13 writes for the
// latter.
func parseAddress(in *instance) (netip.Addr, error) {
	if len(in.args) != 1 || !in.plain() {
		return netip.Addr{}, badState("bad arguments")
	}
	if s, ok := textOf(in.args[0]); ok {
		return addressText(s, isV4(in))
	}
	n, ok := bigOf(in.args[0])
	size := 16
	if isV4(in) {
		size = 4
	}
	if !ok || n.Sign() < 0 || n.BitLen() > 8*size {
		return netip.Addr{}, badState("out of range")
	}
	a, _ := netip.AddrFromSlice(n.FillBytes(make([]byte, size)))
	return a, nil
}

func addressText(s string, v4 bool) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4() != v4 {
		return netip.Addr{}, badState("not an address of its class")
	}
	return a, nil
}

func addressFrom(in *instance) (any, error) {
	a, err := parseAddress(in)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// parseInterface reads the text of a network or an interface.
func parseInterface(in *instance) (IPInterface, error) {
	if len(in.args) != 1 || !in.plain() {
		return IPInterface{}, badState("bad arguments")
	}
	s, ok := textOf(in.args[0])
	addr, bits, slash := strings.Cut(s, "/")
	n, err := strconv.Atoi(bits)
	if !ok || !slash || err != nil || !allDigits(bits) {
		return IPInterface{}, badState("not an address with the length of its prefix")
	}
	a, err := addressText(addr, isV4(in))
	if err != nil {
		return IPInterface{}, err
	}
	i := IPInterface{a, n}
	if !i.valid() {
		return i, badState("bad length of prefix")
	}
	return i, nil
}

func interfaceFrom(in *instance) (any, error) {
	i, err := parseInterface(in)
	if err != nil {
		return nil, err
	}
	return i, nil
}

func parseNetwork(in *instance) (netip.Prefix, error) {
	i, err := parseInterface(in)
	if err != nil {
		return netip.Prefix{}, err
	}
	p := netip.PrefixFrom(i.Addr, i.Bits)
	if i.Addr.Zone() != "" || p.Masked() != p {
		return p, badState("host bits are set")
	}
	return p, nil
}

func networkFrom(in *instance) (any, error) {
	p, err := parseNetwork(in)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func ipClass(a netip.Addr, kind string) (string, error) {
	switch {
	case a.Is4():
		return "IPv4" + kind, nil
	case a.Is6():
		return "IPv6" + kind, nil
	}
	return "", &TypeError{Offset: -1, Msg: "the zero netip value is no IP " + strings.ToLower(kind)}
}

func (m *maker) address(a netip.Addr) (*Object, error) {
	class, err := ipClass(a, "Address")
	if err != nil {
		return nil, err
	}
	if a.Is6() {
		return reduce("ipaddress", class, a.String()), nil // as 3.13 does; before, a number without scope id
	}
	return reduce("ipaddress", class, normalInt(new(big.Int).SetBytes(a.AsSlice()))), nil
}

func (m *maker) network(p netip.Prefix) (*Object, error) {
	class, err := ipClass(p.Addr(), "Network")
	if err != nil {
		return nil, err
	}
	if !p.IsValid() || p.Masked() != p {
		return nil, &TypeError{Offset: -1, Msg: "netip.Prefix " + p.String() + " has host bits set: Python's network refuses it; IPInterface keeps them"}
	}
	return reduce("ipaddress", class, p.String()), nil
}

func (m *maker) ipInterface(i IPInterface) (*Object, error) {
	class, err := ipClass(i.Addr, "Interface")
	if err != nil {
		return nil, err
	}
	if !i.valid() {
		return nil, outOfRange("IPInterface", i)
	}
	return reduce("ipaddress", class, i.String()), nil
}
