package pickleproto

// pythonType returns Python's name of v's type for the binding's error texts: typeName, but the
// full name of an instance's class, and None for itself.
func pythonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *Object:
		if g, ok := classOfObject(v); ok {
			return clip(g.Module + "." + g.Name)
		}
	case Global:
		return "global " + clip(v.Module+"."+v.Name)
	}
	return typeName(v)
}
