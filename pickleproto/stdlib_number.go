package pickleproto

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is Python's decimal.Decimal, exactly: (-1 if Negative) * Coefficient * 10**Exponent, or
// one of the special values. The zero Decimal is 0. Coefficient is not changed by any method and
// may be shared.
type Decimal struct {
	Negative    bool
	Form        DecimalForm
	Coefficient *big.Int // not negative, nil is 0; of a NaN its diagnostic payload
	Exponent    int64    // of a finite value
}

// DecimalForm tells finite Decimals from special ones.
type DecimalForm uint8

// The forms of a Decimal.
const (
	Finite DecimalForm = iota
	Infinity
	NaN
	SignallingNaN
)

// maxDecimalDigits bounds the digits that become a big.Int, as those of a textual int: converting
// them takes time that grows faster than their number. Python's own contexts end at 28 digits.
const maxDecimalDigits = DefaultMaxDigits

var errDecimal = errors.New("pickle: not a decimal number")

// ParseDecimal reads what Python's str(Decimal) writes: "1.50", "-0E+3", "Infinity", "sNaN12". It
// takes at most 4,300 digits.
func ParseDecimal(s string) (Decimal, error) {
	t, ok := parseDecimalText(s)
	if !ok {
		return Decimal{}, errDecimal
	}
	if len(t.digits) > maxDecimalDigits {
		return Decimal{}, &LimitError{Limit: "digits", Value: uint64(len(t.digits)), Max: maxDecimalDigits, Offset: -1}
	}
	d := Decimal{Negative: t.negative, Form: t.form, Exponent: t.exponent, Coefficient: new(big.Int)}
	if t.digits != "" {
		d.Coefficient.SetString(t.digits, 10)
	}
	return d, nil
}

// DecimalOf returns i as a Decimal.
func DecimalOf(i *big.Int) Decimal {
	return Decimal{Negative: i.Sign() < 0, Coefficient: new(big.Int).Abs(i)}
}

// String is Python's str: scientific notation for exponents above 0 and below -6 digits.
func (d Decimal) String() string {
	t := decimalText{negative: d.Negative, form: d.Form, exponent: d.Exponent, digits: "0"}
	if d.Coefficient != nil {
		t.digits = strings.TrimPrefix(d.Coefficient.Text(10), "-") // Negative says the sign
	}
	if d.Form != Finite && t.digits == "0" {
		t.digits = ""
	}
	return t.String()
}

// maxRatExponent bounds the zeros that Rat writes out.
const maxRatExponent = 100_000

// Rat returns d's exact value; false for a special value, or an exponent beyond 100,000 digits.
func (d Decimal) Rat() (*big.Rat, bool) {
	if d.Form != Finite || d.Exponent > maxRatExponent || d.Exponent < -maxRatExponent {
		return nil, false
	}
	c := new(big.Int)
	if d.Coefficient != nil {
		c.Set(d.Coefficient)
	}
	if d.Negative {
		c.Neg(c)
	}
	if d.Exponent >= 0 {
		return new(big.Rat).SetInt(c.Mul(c, pow10(d.Exponent))), true
	}
	return new(big.Rat).SetFrac(c, pow10(-d.Exponent)), true
}

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// decimalText is a Decimal with its digits as text, which costs nothing to read or write.
type decimalText struct {
	negative bool
	form     DecimalForm
	digits   string // without leading zeros; "0" for zero; of a special value its payload or ""
	exponent int64
}

// maxDecimalExponent is beyond what Python's widest context holds (999999999999999999).
const maxDecimalExponent = 4_000_000_000_000_000_000

func parseDecimalText(s string) (t decimalText, ok bool) {
	rest := s
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		t.negative, rest = rest[0] == '-', rest[1:]
	}
	lower := func(n int) string { return strings.ToLower(rest[:min(n, len(rest))]) }
	switch {
	case lower(9) == "infinity" || lower(4) == "inf":
		t.form = Infinity
		return t, true
	case lower(3) == "nan":
		t.form, rest = NaN, rest[3:]
	case lower(4) == "snan":
		t.form, rest = SignallingNaN, rest[4:]
	}
	if t.form != Finite {
		t.digits = strings.TrimLeft(rest, "0")
		return t, allDigits(rest)
	}
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		e, err := strconv.ParseInt(rest[i+1:], 10, 64)
		if err != nil || e > maxDecimalExponent || e < -maxDecimalExponent {
			return t, false
		}
		t.exponent, rest = e, rest[:i]
	}
	if i := strings.IndexByte(rest, '.'); i >= 0 {
		t.exponent -= int64(len(rest) - i - 1)
		rest = rest[:i] + rest[i+1:]
	}
	if rest == "" || !allDigits(rest) {
		return t, false
	}
	if t.digits = strings.TrimLeft(rest, "0"); t.digits == "" {
		t.digits = "0"
	}
	return t, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String is to-scientific-string of the General Decimal Arithmetic, as Python's str.
func (t decimalText) String() string {
	sign := ""
	if t.negative {
		sign = "-"
	}
	switch t.form {
	case Infinity:
		return sign + "Infinity"
	case NaN:
		return sign + "NaN" + t.digits
	case SignallingNaN:
		return sign + "sNaN" + t.digits
	}
	n := int64(len(t.digits))
	left := t.exponent + n // digits left of the point in plain notation
	if t.exponent > 0 || left <= -6 {
		left = 1
	}
	var s string
	switch {
	case left <= 0:
		s = "0." + strings.Repeat("0", int(-left)) + t.digits
	case left >= n:
		s = t.digits + strings.Repeat("0", int(left-n))
	default:
		s = t.digits[:left] + "." + t.digits[left:]
	}
	if e := t.exponent + n - left; e != 0 {
		s += fmt.Sprintf("E%+d", e)
	}
	return sign + s
}

func parseDecimal(in *instance) (decimalText, bool) {
	if len(in.args) != 1 || !in.plain() {
		return decimalText{}, false
	}
	s, ok := textOf(in.args[0])
	if !ok || in.charge(len(s), 4) != nil {
		return decimalText{}, false
	}
	return parseDecimalText(s)
}

func decimalFrom(in *instance) (any, error) {
	if len(in.args) != 1 || !in.plain() {
		return nil, badState("bad arguments")
	}
	s, ok := textOf(in.args[0])
	if !ok {
		return nil, badState("the argument is no str")
	}
	if err := in.charge(len(s), 4); err != nil {
		return nil, err
	}
	d, err := ParseDecimal(s)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parseFraction reads Fraction(numerator, denominator), of 3.12 and later, and Fraction('1/3').
func parseFraction(in *instance) (num, den *big.Int, err error) {
	bad := badState("bad arguments")
	if !in.plain() {
		return nil, nil, bad
	}
	switch len(in.args) {
	case 1:
		s, ok := textOf(in.args[0])
		if !ok || len(s) > 2*DefaultMaxDigits {
			return nil, nil, bad
		}
		n, d, slash := strings.Cut(s, "/")
		if !slash {
			d = "1"
		}
		sign := strings.TrimPrefix(n, "-")
		if sign == "" || d == "" || !allDigits(sign) || !allDigits(d) {
			return nil, nil, bad
		}
		num, _ = new(big.Int).SetString(n, 10)
		den, _ = new(big.Int).SetString(d, 10)
	case 2:
		var ok1, ok2 bool
		num, ok1 = bigOf(in.args[0])
		den, ok2 = bigOf(in.args[1])
		if !ok1 || !ok2 {
			return nil, nil, bad
		}
	default:
		return nil, nil, bad
	}
	if den.Sign() == 0 {
		return nil, nil, badState("the denominator is 0")
	}
	return num, den, nil
}

// maxRatBits bounds what is brought into lowest terms, which takes quadratic time.
const maxRatBits = 1 << 14

func fractionFrom(in *instance) (any, error) {
	num, den, err := parseFraction(in)
	if err != nil {
		return nil, err
	}
	if n := max(num.BitLen(), den.BitLen()); n > maxRatBits {
		return nil, &LimitError{Limit: "bits of a Fraction", Value: uint64(n), Max: maxRatBits, Offset: -1}
	}
	words := min(num.BitLen(), den.BitLen()) / 64
	if err := in.charge(words, words); err != nil { // lowest terms take quadratic time
		return nil, err
	}
	return new(big.Rat).SetFrac(num, den), nil
}

// Range is Python's range.
type Range struct{ Start, Stop, Step int64 }

// Len returns the number of integers in the range; 0 if Step is 0, which Python refuses.
func (r Range) Len() uint64 {
	switch {
	case r.Step > 0 && r.Start < r.Stop:
		return (uint64(r.Stop)-uint64(r.Start)-1)/uint64(r.Step) + 1
	case r.Step < 0 && r.Start > r.Stop:
		return (uint64(r.Start)-uint64(r.Stop)-1)/(-uint64(r.Step)) + 1
	}
	return 0
}

// Slice is Python's slice. Each part is nil where it is None.
type Slice struct{ Start, Stop, Step any }

func rangeFrom(in *instance) (any, error) {
	if len(in.args) != 3 || !in.plain() {
		return nil, badState("bad arguments")
	}
	var p [3]int64
	for i, a := range in.args {
		n, ok := intOf(a)
		if !ok {
			return nil, badState("an argument is no int of 64 bits")
		}
		p[i] = n
	}
	if p[2] == 0 {
		return nil, badState("the step is 0")
	}
	return Range{p[0], p[1], p[2]}, nil
}

func sliceFrom(in *instance) (any, error) {
	if len(in.args) != 3 || !in.plain() {
		return nil, badState("bad arguments")
	}
	var p [3]any
	for i, v := range in.args {
		switch n := v.(type) { // what only Python 2 tells apart
		case Long:
			v = int64(n)
		case Int:
			v = int64(n)
		}
		p[i] = v
	}
	return Slice{p[0], p[1], p[2]}, nil
}
