// Package comparisons has what TestPythonValuesAreNotComparedByGo looks for.
package comparisons

func compare(x, y any, s []any) bool {
	switch x {
	case y:
		return true
	}
	return x == y || s[0] != x || x == nil
}
