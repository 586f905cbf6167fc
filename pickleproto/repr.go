package pickleproto

import "fmt"

// Repr returns what Python's repr prints.
func Repr(v any) string { return fmt.Sprint(v) }
