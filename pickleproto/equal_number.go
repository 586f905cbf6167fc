package pickleproto

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// pyNumber is one of Python's numbers, ready to be compared.
type pyNumber struct {
	kind    numKind
	i       int64       // numInt
	big     *big.Int    // numBig; the numerator of numFraction
	den     *big.Int    // numFraction, not 0; not in lowest terms
	f       float64     // numFloat; the real part of numComplex
	imag    float64     // numComplex
	decimal decimalText // numDecimal
}

type numKind uint8

const (
	numInt numKind = iota
	numBig
	numFloat
	numFraction
	numDecimal
	numComplex
)

func numberOf(v any) (pyNumber, bool) { return (&comparer{}).number(v) }

// number reads a number of the value model, a Decimal or Fraction among the objects included.
func (c *comparer) number(v any) (pyNumber, bool) {
	switch v := v.(type) {
	case int64:
		return pyNumber{i: v}, true
	case bool, Int, Long:
		i, _ := intOf(v)
		return pyNumber{i: i}, true
	case *big.Int:
		if v == nil {
			return pyNumber{}, false
		}
		if v.IsInt64() {
			return pyNumber{i: v.Int64()}, true
		}
		return pyNumber{kind: numBig, big: v}, true
	case float64:
		return pyNumber{kind: numFloat, f: v}, true
	case *Complex:
		if v == nil {
			return pyNumber{}, false
		}
		return pyNumber{kind: numComplex, f: v.Real, imag: v.Imag}, true
	case *Object:
		if v == nil {
			return pyNumber{}, false
		}
		in, ok := instanceOf(v)
		if !ok {
			return pyNumber{}, false
		}
		in.meter = c.meter
		switch class, _ := stdlib(in.class); class.kind {
		case kindDecimal:
			t, ok := parseDecimal(&in)
			return pyNumber{kind: numDecimal, decimal: t}, ok
		case kindFraction:
			num, den, err := parseFraction(&in)
			return pyNumber{kind: numFraction, big: num, den: den}, err == nil
		}
	case int, int8, int16, int32, uint, uint8, uint16, uint32, uint64, float32:
		return numberOf(pythonNumber(v))
	}
	return pyNumber{}, false
}

// nearest returns the float64 nearest to n, as text: the same for numbers that are equal.
func (n pyNumber) nearest() string {
	f := n.f
	switch n.kind {
	case numInt:
		f = float64(n.i)
	case numBig:
		f, _ = new(big.Float).SetInt(n.big).Float64()
	case numFraction:
		if max(n.big.BitLen(), n.den.BitLen()) > maxRatBits {
			return ""
		}
		f, _ = new(big.Rat).SetFrac(n.big, n.den).Float64()
	case numDecimal:
		f, _ = strconv.ParseFloat(n.decimal.String(), 64)
	}
	return strconv.FormatFloat(f+0, 'g', -1, 64)
}

func (c *comparer) numbers(a, b pyNumber) bool {
	if a.kind < b.kind {
		a, b = b, a // the wider kind first
	}
	switch a.kind {
	case numComplex:
		if b.kind == numComplex {
			return a.f == b.f && a.imag == b.imag
		}
		return a.imag == 0 && c.numbers(pyNumber{kind: numFloat, f: a.f}, b)
	case numDecimal:
		return c.decimals(a.decimal, b)
	case numFraction:
		return c.fractions(a, b)
	}
	return compareReals(a, b) == 0 && !math.IsNaN(a.f) && !math.IsNaN(b.f)
}

// integer returns an int as a big.Int.
func (n pyNumber) integer() *big.Int {
	if n.kind == numInt {
		return big.NewInt(n.i)
	}
	return n.big
}

// compareReals orders two ints or floats exactly; NaN has no place in the order.
func compareReals(a, b pyNumber) int {
	switch {
	case a.kind == numInt && b.kind == numInt:
		return cmp.Compare(a.i, b.i)
	case a.kind == numFloat && b.kind == numFloat:
		switch { // not cmp.Compare, which tells -0 from 0
		case a.f < b.f:
			return -1
		case a.f > b.f:
			return 1
		}
		return 0
	case b.kind == numFloat:
		return -compareReals(b, a)
	case a.kind == numFloat:
		if math.IsInf(a.f, 0) || math.IsNaN(a.f) {
			if a.f > 0 {
				return 1
			}
			return -1
		}
		whole, frac := math.Modf(a.f)
		var d int
		if b.kind == numInt && math.Abs(whole) < 1<<62 {
			d = cmp.Compare(int64(whole), b.i)
		} else {
			i, _ := new(big.Float).SetFloat64(whole).Int(nil)
			d = i.Cmp(b.integer())
		}
		if d == 0 {
			return cmp.Compare(frac, 0)
		}
		return d
	}
	return a.integer().Cmp(b.integer())
}

// compareNumbers orders two ints or floats.
func compareNumbers(x, y any) int {
	a, _ := numberOf(x)
	b, _ := numberOf(y)
	return compareReals(a, b)
}

// fractions compares a Fraction with any number but a Decimal or a complex.
func (c *comparer) fractions(a, b pyNumber) bool {
	num, den := b.big, b.den
	switch b.kind {
	case numFloat:
		if math.IsInf(b.f, 0) || math.IsNaN(b.f) {
			return false
		}
		r := new(big.Rat).SetFloat64(b.f)
		num, den = r.Num(), r.Denom()
	case numInt, numBig:
		num, den = b.integer(), big.NewInt(1)
	}
	// a.big * den == num * a.den, if their lengths are near each other at all.
	l, r := a.big.BitLen()+den.BitLen(), num.BitLen()+a.den.BitLen()
	if l-r > 1 || r-l > 1 || a.big.Sign()*a.den.Sign() != num.Sign()*den.Sign() {
		return false
	}
	words := (l + r) / 64
	if !c.spend(words * words / 64) {
		return false
	}
	return new(big.Int).Mul(a.big, den).Cmp(new(big.Int).Mul(num, a.den)) == 0
}

// decimals compares a Decimal with any number but a complex.
func (c *comparer) decimals(t decimalText, b pyNumber) bool {
	switch b.kind {
	case numDecimal:
		return c.decimalTexts(t, b.decimal)
	case numFloat:
		switch {
		case math.IsNaN(b.f):
			return false
		case math.IsInf(b.f, 0):
			return t.form == Infinity && t.negative == (b.f < 0)
		}
		// 767 digits hold any float64 exactly.
		d, ok := parseDecimalText(strconv.FormatFloat(b.f, 'e', 766, 64))
		return ok && c.decimalTexts(t, d)
	case numFraction:
		return c.decimalFraction(t, b)
	}
	if t.form != Finite {
		return false
	}
	i := b.integer()
	// A digit is between 3 and 4 bits: far-off sizes need no conversion.
	if n := int64(i.BitLen()); t.digits != "0" && (n/4 > int64(len(t.digits))+t.exponent+1 || n < 3*(int64(len(t.digits))+t.exponent-1)) {
		return false
	}
	if !c.spend(i.BitLen() / 8) {
		return false
	}
	s := i.Text(10)
	return c.decimalTexts(t, decimalText{negative: s[0] == '-', digits: strings.TrimPrefix(s, "-")})
}

// trimmed moves the zeros at the end of the digits into the exponent.
func (t decimalText) trimmed() decimalText {
	d := strings.TrimRight(t.digits, "0")
	t.exponent += int64(len(t.digits) - len(d))
	t.digits = d
	return t
}

func (c *comparer) decimalTexts(a, b decimalText) bool {
	if a.form != b.form || a.form > Infinity {
		return false
	}
	if a.form == Infinity {
		return a.negative == b.negative
	}
	if !c.spend((len(a.digits) + len(b.digits)) / 64) {
		return false
	}
	a, b = a.trimmed(), b.trimmed()
	if a.digits == "" || b.digits == "" {
		return a.digits == b.digits // zeros, whatever their sign and exponent
	}
	return a.negative == b.negative && a.exponent == b.exponent && a.digits == b.digits
}

func (c *comparer) decimalFraction(t decimalText, b pyNumber) bool {
	if t.form != Finite {
		return false
	}
	t = t.trimmed()
	if t.digits == "" {
		return b.big.Sign() == 0
	}
	// An equal fraction holds at least this many digits or, in its denominator, bits.
	size := int64(b.big.BitLen() + b.den.BitLen())
	if t.exponent > size || -t.exponent > size || int64(len(t.digits)) > size+1 {
		return false
	}
	words := int(size) / 64
	if !c.spend(len(t.digits) + words*words/16) {
		return false
	}
	coef, _ := new(big.Int).SetString(t.digits, 10)
	if t.negative {
		coef.Neg(coef)
	}
	if t.exponent >= 0 {
		return c.fractions(b, pyNumber{kind: numBig, big: coef.Mul(coef, pow10(t.exponent))})
	}
	return c.fractions(b, pyNumber{kind: numFraction, big: coef, den: pow10(-t.exponent)})
}
