package server

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// decimalPrecision and the rounding to even are decimal's default context.
const decimalPrecision = 28

// decimalPlusOne is Decimal + 1 in the default context.
func decimalPlusOne(o *pickleproto.Object, args pickleproto.Tuple) (any, error) {
	malformed := pickleproto.NewException("TypeError", "conversion to Decimal is not supported")
	if len(args) != 1 {
		return nil, malformed
	}
	text, ok := args[0].(string)
	if b, isBytes := args[0].(pickleproto.ByteString); isBytes {
		text, ok = string(b), true
	}
	if !ok || len(text) > pickleproto.DefaultMaxDigits {
		return nil, malformed
	}
	switch strings.TrimLeft(text, "-") {
	case "NaN", "Infinity":
		return remade(o, text), nil
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToUpper(text), "E")
	exp := 0
	if hasExponent {
		var err error
		if exp, err = strconv.Atoi(exponent); err != nil || exp > 999_999 || exp < -999_999 {
			return nil, malformed
		}
	}
	whole, part, _ := strings.Cut(mantissa, ".")
	exp -= len(part)
	n, ok := new(big.Int).SetString(whole+part, 10)
	if !ok {
		return nil, malformed
	}
	n, exp = decimalSum(n, exp)
	return remade(o, decimalText(n, exp)), nil
}

// decimalSum is n * 10**exp + 1, rounded to the precision. Operands so far apart that the smaller
// is beyond the last digit are not aligned in full: a stand-in of 1 below the last digit rounds
// the same way.
func decimalSum(n *big.Int, exp int) (*big.Int, int) {
	a, aExp, b, bExp := n, exp, big.NewInt(1), 0
	if n.Sign() == 0 {
		// The sum is 1 with as many digits as the exponents allow.
		aExp = max(min(exp, 0), -(decimalPrecision - 1))
		return pow10(-aExp), aExp
	}
	if aExp < bExp {
		a, aExp, b, bExp = b, bExp, a, aExp
	}
	// a has the larger exponent.
	low := aExp + min(-1, len(digitsOf(a))-decimalPrecision-2)
	if len(digitsOf(b))+bExp-1 < low {
		b, bExp = big.NewInt(int64(b.Sign())), low
	}
	sum := new(big.Int).Mul(a, pow10(aExp-bExp))
	sum.Add(sum, b)
	return decimalRound(sum, bExp)
}

func decimalRound(n *big.Int, exp int) (*big.Int, int) {
	over := len(digitsOf(n)) - decimalPrecision
	if over <= 0 {
		return n, exp
	}
	unit := pow10(over)
	q, r := new(big.Int).QuoRem(n, unit, new(big.Int))
	switch c := new(big.Int).Lsh(new(big.Int).Abs(r), 1).Cmp(unit); {
	case c > 0, c == 0 && q.Bit(0) == 1:
		q.Add(q, big.NewInt(int64(n.Sign())))
	}
	if len(digitsOf(q)) > decimalPrecision {
		return decimalRound(q, exp+over)
	}
	return q, exp + over
}

// decimalText is Decimal.__str__.
func decimalText(n *big.Int, exp int) string {
	sign, digits := "", digitsOf(n)
	if n.Sign() < 0 {
		sign = "-"
	}
	adjusted := exp + len(digits) - 1
	switch {
	case exp == 0:
		return sign + digits
	case exp < 0 && adjusted >= -6:
		if point := len(digits) + exp; point > 0 {
			return sign + digits[:point] + "." + digits[point:]
		}
		return sign + "0." + strings.Repeat("0", -exp-len(digits)) + digits
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%sE%+d", sign, digits, adjusted)
}

func digitsOf(n *big.Int) string { return strings.TrimPrefix(n.String(), "-") }

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
