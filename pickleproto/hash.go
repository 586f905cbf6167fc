package pickleproto

import (
	"errors"
	"hash/maphash"
	"math"
	"math/big"
	"math/bits"
)

// Hash and equality of dict keys and set members, as Python has them: 1 == 1.0 == True are one
// key, tuples and frozensets go by value, instances by identity, lists and the like are refused.
// Hashes are seeded for each process, so nobody can choose keys that collide.

var (
	hashSeed = maphash.MakeSeed()
	hashK0   = maphash.Bytes(hashSeed, []byte("k0"))
	hashK1   = maphash.Bytes(hashSeed, []byte("k1")) | 1
)

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^hashK0, hashK1)
	return hi ^ lo
}

// errUnhashable is the error for a key that Python refuses. Its text is Python's.
type errUnhashable struct{ typ string }

func (e *errUnhashable) Error() string { return "unhashable type: '" + e.typ + "'" }

// errWork and errDepth say that a key costs too much to hash or compare. The caller, who knows
// the offset and the limit, makes a *LimitError of them.
var (
	errWork  = errors.New("pickle: work limit exceeded")
	errDepth = errors.New("pickle: depth limit exceeded")
)

// hasher hashes and compares keys within a budget of work and depth. The zero hasher has none
// left; see newHasher. It is not safe for use by several goroutines.
type hasher struct {
	work  int64 // steps left
	max   int64 // steps that a single key may cost Python, which caches no tuple's hash
	depth int   // levels left
	// cache holds the hashes of tuples and frozensets, so that a tuple which contains the same
	// tuple twice, 60 levels deep, costs 60 steps and not 2**60; and those of long texts, which
	// two bytes of a pickle fetch from the memo again.
	cache map[identity]cachedHash
	// memory is what the cache is charged against; nil outside of decoding.
	memory *arena
}

// A text of longText bytes or more is hashed once, and costs a step of work for each longUnit
// bytes that are hashed or compared. Shorter ones are done before a map would have been asked.
const (
	longText = 512
	longUnit = 32
)

// cachedEntry is about what an entry of a hasher's cache takes.
const cachedEntry = 112

type identity struct {
	address uintptr
	length  int
}

type cachedHash struct {
	hash uint64
	cost int64 // steps that Python needs
	keep any   // what lies at the address, lest something else come to lie there
}

func newHasher() hasher {
	return hasher{work: workBase, max: workBase, depth: DefaultMaxDepth}
}

// hash returns the hash of v, which is equal for values that Python calls equal.
func (h *hasher) hash(v any) (uint64, error) {
	x, _, err := h.hashCost(v)
	return x, err
}

func (h *hasher) hashCost(key any) (x uint64, cost int64, err error) {
	switch v := key.(type) {
	case string:
		if len(v) >= longText {
			x, err := h.hashLong(v)
			return x, 1, err
		}
		return maphash.String(hashSeed, v), 1, nil
	case int64:
		return mix(uint64(v)), 1, nil
	case Tuple:
		return h.hashTuple(v)
	case nil:
		return mix(0x6e6f6e65), 1, nil
	case bool:
		if v {
			return mix(1), 1, nil
		}
		return mix(0), 1, nil
	case float64:
		return hashFloat(v, uint64(uintptr(dataPointer(key)))), 1, nil
	case Bytes:
		if len(v) >= longText {
			x, err := h.hashLong(string(v))
			return x ^ 0x6279746573, 1, err
		}
		return maphash.String(hashSeed, string(v)) ^ 0x6279746573, 1, nil
	case ByteString:
		if len(v) >= longText {
			x, err := h.hashLong(string(v)) // the one hash for all, which is right for ASCII
			return x, 1, err
		}
		if isASCII(string(v)) {
			return maphash.String(hashSeed, string(v)), 1, nil
		}
		return maphash.String(hashSeed, string(v)) ^ 0x737472, 1, nil
	case Long:
		return mix(uint64(v)), 1, nil
	case Int:
		return mix(uint64(v)), 1, nil
	case *big.Int:
		if v == nil {
			return 0, 0, &errUnhashable{"nil *big.Int"}
		}
		words := int64(v.BitLen() >> 6)
		if h.work -= 4 * words; h.work < 0 {
			return 0, 0, errWork
		}
		return hashBig(v), 1 + words, nil
	case *Complex:
		if v == nil {
			return 0, 0, &errUnhashable{"nil *Complex"}
		}
		x := hashFloat(v.Real, uint64(uintptr(dataPointer(v))))
		if v.Imag != 0 {
			x ^= bits.RotateLeft64(hashFloat(v.Imag, uint64(uintptr(dataPointer(v)))), 17)
		}
		return x, 1, nil
	case *FrozenSet:
		if v == nil {
			return 0, 0, &errUnhashable{"nil *FrozenSet"}
		}
		return h.hashFrozenSet(v)
	case Global:
		h.work -= int64(len(v.Module)+len(v.Name)) / longUnit
		return maphash.String(hashSeed, v.Module) ^ bits.RotateLeft64(maphash.String(hashSeed, v.Name), 9), 1, nil
	case Extension:
		return mix(uint64(v)) ^ 0x657874, 1, nil
	case *List:
		return 0, 0, &errUnhashable{"list"}
	case *Dict:
		return 0, 0, &errUnhashable{"dict"}
	case *Set:
		return 0, 0, &errUnhashable{"set"}
	case *ByteArray:
		return 0, 0, &errUnhashable{"bytearray"}
	}
	// An instance, by identity.
	return mix(uint64(uintptr(dataPointer(key)))), 1, nil
}

// hashLong hashes a long text, once for each that lies somewhere else.
func (h *hasher) hashLong(s string) (uint64, error) {
	id := identity{stringAddress(s), len(s)}
	if c, ok := h.cache[id]; ok {
		return c.hash, nil
	}
	if h.work -= int64(len(s) / longUnit); h.work < 0 {
		return 0, errWork
	}
	x := maphash.String(hashSeed, s)
	h.remember(id, x, 1, s)
	return x, nil
}

// sameText compares two texts of one length.
func (h *hasher) sameText(x, y string) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	if len(x) >= longText && stringAddress(x) != stringAddress(y) {
		if h.work -= int64(len(x) / longUnit); h.work < 0 {
			return false, errWork
		}
	}
	return x == y, nil
}

// hashFloat hashes integral floats as the int they equal. No NaN equals another, so each is
// hashed by its address, lest many of them fill one chain.
func hashFloat(f float64, address uint64) uint64 {
	if f == math.Trunc(f) {
		if f >= -(1<<63) && f < 1<<63 {
			return mix(uint64(int64(f)))
		}
		if !math.IsInf(f, 0) {
			b, _ := big.NewFloat(f).Int(nil)
			return hashBig(b)
		}
	}
	if f != f {
		return mix(address)
	}
	return mix(math.Float64bits(f))
}

func hashBig(b *big.Int) uint64 {
	if b.IsInt64() {
		return mix(uint64(b.Int64()))
	}
	x := uint64(b.Sign())
	for _, w := range b.Bits() {
		x = mix(x ^ uint64(w))
	}
	return x
}

// enter takes one level of depth and some work; the caller calls leave if it returns nil.
func (h *hasher) enter(n int) error {
	if h.work -= int64(n) + 1; h.work < 0 {
		return errWork
	}
	if h.depth--; h.depth < 0 {
		h.depth++
		return errDepth
	}
	return nil
}

func (h *hasher) leave() { h.depth++ }

func (h *hasher) hashTuple(t Tuple) (x uint64, cost int64, err error) {
	nested := false
	for _, e := range t {
		if w := typeWord(e); w == typTuple || w == typFrozenSet {
			nested = true
			break
		}
	}
	id := identity{tupleAddress(t), len(t)}
	if nested {
		if c, ok := h.cache[id]; ok {
			return c.hash, c.cost, nil
		}
	}
	if err := h.enter(len(t)); err != nil {
		return 0, 0, err
	}
	defer h.leave()
	x, cost = mix(uint64(len(t))^0x7475706c65), 1
	for i := range t {
		var y uint64
		c := int64(1)
		switch e := t[i].(type) {
		case int64:
			y = mix(uint64(e))
		case float64:
			y = hashFloat(e, uint64(uintptr(dataPointer(t[i]))))
		default:
			if y, c, err = h.hashCost(e); err != nil {
				return 0, 0, err
			}
		}
		x = mix(bits.RotateLeft64(x, 5) ^ y)
		if cost += c; cost > h.max {
			return 0, 0, errWork
		}
	}
	if nested {
		h.remember(id, x, cost, t)
	}
	return x, cost, nil
}

func (h *hasher) hashFrozenSet(s *FrozenSet) (x uint64, cost int64, err error) {
	id := identity{uintptr(dataPointer(s)), -1}
	if c, ok := h.cache[id]; ok {
		return c.hash, c.cost, nil
	}
	if err := h.enter(s.Len()); err != nil {
		return 0, 0, err
	}
	defer h.leave()
	x = uint64(s.Len()) * hashK1
	for i := range s.t.keys {
		y, c, err := h.hashCost(s.t.keys[i])
		if err != nil {
			return 0, 0, err
		}
		x += mix(y ^ hashK1) // in any order
		if cost += c; cost > h.max {
			return 0, 0, errWork
		}
	}
	h.remember(id, x, 1, s) // Python caches the hash of a frozenset
	return x, cost, nil
}

func (h *hasher) remember(id identity, x uint64, cost int64, keep any) {
	if h.cache == nil {
		h.cache = make(map[identity]cachedHash)
	}
	if h.memory != nil {
		h.memory.charge(cachedEntry)
	}
	h.cache[id] = cachedHash{x, cost, keep}
}

// equal reports whether two keys whose hashes are alike are one key.
func (h *hasher) equal(x, y any) (bool, error) {
	if same(x, y) {
		return true, nil
	}
	switch x := x.(type) {
	case nil:
		return y == nil, nil
	case string:
		switch y := y.(type) {
		case string:
			return h.sameText(x, y)
		case ByteString:
			ok, err := h.sameText(x, string(y))
			return ok && isASCII(x), err
		}
		return false, nil
	case ByteString:
		switch y := y.(type) {
		case ByteString:
			return h.sameText(string(x), string(y))
		case string:
			ok, err := h.sameText(string(x), y)
			return ok && isASCII(y), err
		}
		return false, nil
	case Bytes:
		y, ok := y.(Bytes)
		if !ok {
			return false, nil
		}
		return h.sameText(string(x), string(y))
	case *big.Int:
		if h.work -= int64(x.BitLen() >> 6); h.work < 0 {
			return false, errWork
		}
	case Tuple:
		y, ok := y.(Tuple)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		if len(x) == 0 || &x[0] == &y[0] {
			return true, nil
		}
		if err := h.enter(len(x)); err != nil {
			return false, err
		}
		defer h.leave()
		for i := range x {
			if ok, err := h.equal(x[i], y[i]); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *FrozenSet:
		y, ok := y.(*FrozenSet)
		if !ok || x.Len() != y.Len() {
			return false, nil
		}
		if err := h.enter(x.Len()); err != nil {
			return false, err
		}
		defer h.leave()
		for i := range x.t.keys {
			if j, err := y.t.find(x.t.keys[i], h); j < 0 || err != nil {
				return false, err
			}
		}
		return true, nil
	case Global:
		y, ok := y.(Global)
		return ok && x.Module == y.Module && x.Name == y.Name, nil
	case Extension:
		y, ok := y.(Extension)
		return ok && x == y, nil
	}
	return numbersEqual(x, y), nil
}

// numbersEqual compares two numbers of any of Python's types by value; no other values are equal.
func numbersEqual(x, y any) bool {
	if a, ok := x.(*Complex); ok {
		if b, ok := y.(*Complex); ok {
			return a.Real == b.Real && a.Imag == b.Imag
		}
		return a.Imag == 0 && numbersEqual(a.Real, y)
	}
	if b, ok := y.(*Complex); ok {
		return b.Imag == 0 && numbersEqual(x, b.Real)
	}
	a, aBig, aFloat, aKind := number(x)
	b, bBig, bFloat, bKind := number(y)
	switch {
	case aKind == notNumber || bKind == notNumber:
		return false
	case aKind == bKind:
		switch aKind {
		case intNumber:
			return a == b
		case bigNumber:
			return aBig.Cmp(bBig) == 0
		}
		return aFloat == bFloat
	case aKind == floatNumber:
		return floatEqualsInt(aFloat, b, bBig)
	case bKind == floatNumber:
		return floatEqualsInt(bFloat, a, aBig)
	}
	return false // an int64 is never a *big.Int: those that fit are normalised by number
}

type numberKind uint8

const (
	notNumber numberKind = iota
	intNumber
	bigNumber
	floatNumber
)

func number(v any) (int64, *big.Int, float64, numberKind) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil, 0, intNumber
		}
		return 0, nil, 0, intNumber
	case int64:
		return v, nil, 0, intNumber
	case Long:
		return int64(v), nil, 0, intNumber
	case Int:
		return int64(v), nil, 0, intNumber
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), nil, 0, intNumber
		}
		return 0, v, 0, bigNumber
	case float64:
		return 0, nil, v, floatNumber
	}
	return 0, nil, 0, notNumber
}

func floatEqualsInt(f float64, i int64, b *big.Int) bool {
	if f != math.Trunc(f) || math.IsInf(f, 0) {
		return false
	}
	if f >= -(1<<63) && f < 1<<63 {
		return b == nil && int64(f) == i
	}
	if b == nil {
		return false
	}
	x, _ := big.NewFloat(f).Int(nil)
	return x.Cmp(b) == 0
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
