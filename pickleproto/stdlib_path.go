package pickleproto

import "strings"

// Path is Python's pathlib.PosixPath, PurePath its PurePosixPath: what Python's str of it says.
//
// A path made in Go is written under the module pathlib, as 3.8 to 3.12 and 3.14 do; every version
// loads that, while pathlib._local, which 3.13 writes, is known to 3.13 alone.
type (
	Path            string
	PurePath        string
	WindowsPath     string // pathlib.WindowsPath, with backslashes
	PureWindowsPath string // pathlib.PureWindowsPath
)

// pathSegments returns the arguments, which are the parts of the path, or what it was made of.
func pathSegments(in *instance) ([]string, error) {
	if !in.plain() {
		return nil, badState("bad arguments")
	}
	out := make([]string, len(in.args))
	for i, a := range in.args {
		s, ok := textOf(a)
		if !ok {
			return nil, badState("a part is no str")
		}
		if err := in.charge(len(s), 16); err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func posixPathFrom(in *instance) (any, error) {
	parts, err := pathSegments(in)
	if err != nil {
		return nil, err
	}
	if in.class.Name == "PurePosixPath" {
		return PurePath(joinPosix(parts)), nil
	}
	return Path(joinPosix(parts)), nil
}

func windowsPathFrom(in *instance) (any, error) {
	parts, err := pathSegments(in)
	if err != nil {
		return nil, err
	}
	if in.class.Name == "PureWindowsPath" {
		return PureWindowsPath(joinWindows(parts)), nil
	}
	return WindowsPath(joinWindows(parts)), nil
}

// joinPosix joins as pathlib does: an absolute part starts anew, empty parts and dots are left out,
// and exactly two slashes in front stay two.
func joinPosix(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		switch s := b.String(); {
		case strings.HasPrefix(p, "/"):
			b.Reset()
		case s != "" && !strings.HasSuffix(s, "/"):
			b.WriteByte('/')
		}
		b.WriteString(p)
	}
	s, root := b.String(), ""
	switch {
	case strings.HasPrefix(s, "//") && !strings.HasPrefix(s, "///"):
		root = "//"
	case strings.HasPrefix(s, "/"):
		root = "/"
	}
	return orDot(root + joinNames(s, "/"))
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

func joinNames(s, sep string) string {
	var names []string
	for name := range strings.SplitSeq(s, sep) {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return strings.Join(names, sep)
}

// joinWindows joins as pathlib does: a part with a root starts anew on its drive, or on the one so
// far; a part with another drive starts anew.
func joinWindows(parts []string) string {
	drive, root, rest := "", "", ""
	var tail strings.Builder
	for i, p := range parts {
		d, r, t := splitWindows(strings.ReplaceAll(p, "/", `\`))
		switch {
		case r != "":
			if d != "" || drive == "" {
				drive = d
			}
			root = r
			tail.Reset()
		case i == 0 || d != "" && !strings.EqualFold(d, drive):
			drive, root = d, r
			tail.Reset()
		default:
			if d != "" {
				drive = d
			}
			if tail.Len() > 0 {
				tail.WriteByte('\\')
			}
		}
		tail.WriteString(t)
	}
	if rest = tail.String(); rest != "" && root == "" && drive != "" && !strings.HasSuffix(drive, ":") && !strings.HasSuffix(drive, `\`) {
		rest = `\` + rest
	}
	drive, root, rest = splitWindows(drive + root + rest) // \\server and share are a drive once joined
	if root == "" && strings.HasPrefix(drive, `\`) && !strings.HasSuffix(drive, `\`) {
		// \\server\share and \\?\unc\server\share have a root without saying so.
		if p := strings.Split(drive, `\`); len(p) == 4 && !strings.Contains("?.", p[2]) || len(p) == 6 {
			root = `\`
		}
	}
	names := joinNames(rest, `\`)
	if drive+root == "" {
		if len(names) > 1 && names[1] == ':' {
			return `.\` + names // a name that would read as a drive
		}
		return orDot(names)
	}
	return drive + root + names
}

// splitWindows splits off the drive or share, and the root.
func splitWindows(p string) (drive, root, rest string) {
	switch {
	case strings.HasPrefix(p, `\\`):
		start := 2
		if len(p) >= 8 && strings.EqualFold(p[:8], `\\?\UNC\`) {
			start = 8
		}
		i := strings.IndexByte(p[start:], '\\')
		if i < 0 {
			return p, "", ""
		}
		i += start + 1
		j := strings.IndexByte(p[i:], '\\')
		if j < 0 {
			return p, "", ""
		}
		return p[:i+j], `\`, p[i+j+1:]
	case strings.HasPrefix(p, `\`):
		return "", `\`, p[1:]
	case len(p) >= 2 && p[1] == ':':
		if len(p) > 2 && p[2] == '\\' {
			return p[:2], `\`, p[3:]
		}
		return p[:2], "", p[2:]
	}
	return "", "", p
}
