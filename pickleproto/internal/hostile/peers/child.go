package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/hydrogen18/stalecucumber"
	ogorek "github.com/kisielk/og-rek"
	"github.com/nlpodyssey/gopickle/pickle"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// decoders are the codecs in Go, by the names of the table's columns.
var decoders = map[string]func(b []byte) error{
	"picklebridge": func(b []byte) error {
		var v any
		return pickleproto.Unmarshal(b, &v)
	},
	"gopickle": func(b []byte) error {
		u := pickle.NewUnpickler(bytes.NewReader(b))
		_, err := u.Load()
		return err
	},
	"og-rek": func(b []byte) error {
		_, err := ogorek.NewDecoderWithConfig(bytes.NewReader(b), &ogorek.DecoderConfig{PyDict: true}).Decode()
		return err
	},
	"stalecucumber": func(b []byte) error {
		_, err := stalecucumber.Unpickle(bytes.NewReader(b))
		return err
	},
}

// child decodes what comes on stdin, a 4-byte length before each pickle, and says in one line what
// became of it. It runs with the limit of memory that it is given.
func child(name string, memory uint64) error {
	decode, ok := decoders[name]
	if !ok {
		return fmt.Errorf("no decoder %q", name)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: memory, Max: memory}); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return nil
		}
		b := make([]byte, binary.LittleEndian.Uint32(head[:]))
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
		fmt.Println(outcome(decode, b))
	}
}

func outcome(decode func([]byte) error, b []byte) (text string) {
	defer func() {
		if recover() != nil {
			text = panicked
		}
	}()
	if decode(b) != nil {
		return refused
	}
	return handled
}
