package transport

import (
	"errors"
	"fmt"
	"strings"
)

// Names lists the conventions that ByName knows.
func Names() []string {
	return []string{"raw", "u32be", "u64be", "u32le", "u64le", "ascii10", "ascii64", "terminator", "multiprocessing"}
}

// ByName returns the convention of that name. text is the terminator of "terminator", key the
// authkey and policy of "multiprocessing"; the others take neither.
func ByName(name, text string, key Auth) (Transport, error) {
	if text != "" && name != "terminator" {
		return nil, fmt.Errorf("a terminator goes with the transport terminator, not with %s", name)
	}
	if (key.Key != nil || key.ForbidMD5) && name != "multiprocessing" {
		return nil, fmt.Errorf("an authkey, and what is forbidden of its proof, goes with the transport multiprocessing, not with %s", name)
	}
	switch name {
	case "raw":
		return Raw, nil
	case "terminator":
		if text == "" {
			return nil, errors.New("the transport terminator needs the terminator, the bytes that follow each pickle")
		}
		return Terminator(text)
	case "multiprocessing":
		return Multiprocessing(key), nil
	}
	for _, t := range []Transport{U32BE, U64BE, U32LE, U64LE, ASCII10, ASCII64} {
		if t.String() == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("unknown transport %q: it is one of %s", name, strings.Join(Names(), ", "))
}
