package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Auth is the authkey of a Multiprocessing connection and what is accepted as its proof.
type Auth struct {
	// Key is the authkey. Nil means none; an empty one is refused.
	Key []byte

	// ForbidMD5 refuses HMAC-MD5, which is all that Pythons up to 3.11 know: as the answer of a
	// peer, and as what a peer's challenge demands.
	ForbidMD5 bool

	// RawSHA256 accepts a raw HMAC-SHA256 of 32 bytes as the answer, and gives it to a challenge
	// of 20 bytes, as vendor builds of Python 3.6 to 3.11 do where MD5 is disabled.
	RawSHA256 bool
}

// AuthError is the error for a handshake that failed. Msg names the likely cause.
type AuthError struct {
	Msg string
	Err error // nil, or what it wraps
}

func (e *AuthError) Error() string { return "transport: multiprocessing handshake: " + e.Msg }
func (e *AuthError) Unwrap() error { return e.Err }

var (
	challengePrefix = []byte("#CHALLENGE#")
	welcome         = []byte("#WELCOME#")
	failure         = []byte("#FAILURE#")
)

const (
	maxHandshakeMessage = 256
	nonceSize           = 40 // of a challenge after its digest's name, as from 3.12
	legacyChallenge     = 20 // bytes of a challenge up to 3.11
)

// digests that 3.12 and later name in braces.
func newDigest(name string) func() hash.Hash {
	switch name {
	case "md5":
		return md5.New
	case "sha256":
		return sha256.New
	case "sha384":
		return sha512.New384
	case "sha3_256":
		return func() hash.Hash { return sha3.New256() }
	case "sha3_384":
		return func() hash.Hash { return sha3.New384() }
	}
	return nil
}

func mac(digest string, key, message []byte) []byte {
	h := hmac.New(newDigest(digest), key)
	h.Write(message)
	return h.Sum(nil)
}

// digestOf splits "{sha256}..." into name and rest; ok is false when there is no such prefix.
func digestOf(m []byte) (name string, rest []byte, ok bool) {
	if len(m) == 0 || m[0] != '{' {
		return "", m, false
	}
	end := bytes.IndexByte(m, '}')
	if end < 0 || newDigest(string(m[1:end])) == nil {
		return "", m, false
	}
	return string(m[1:end]), m[end+1:], true
}

// handshake proves the key to the peer and has it proved. The server's challenge comes first.
func (a *Auth) handshake(c *multiprocessingConn, server bool) error {
	steps := []func(*multiprocessingConn) error{a.answer, a.challenge}
	if server {
		slices.Reverse(steps)
	}
	for i, step := range steps {
		if err := step(c); err != nil {
			return explain(err, server, i == 0)
		}
	}
	return nil
}

// challenge sends a challenge and checks the answer.
func (a *Auth) challenge(c *multiprocessingConn) error {
	m := make([]byte, 0, 64)
	m = append(m, "{sha256}"...)
	m = m[:len(m)+nonceSize]
	_, _ = rand.Read(m[len(m)-nonceSize:]) // never fails
	if err := SendBytes(c, slices.Concat(challengePrefix, m)); err != nil {
		return err
	}
	answer, err := c.receiveBytes()
	if err != nil {
		return err
	}
	if err := a.verify(m, answer); err != nil {
		// The peer is told, as Python tells it; that it may be gone changes nothing.
		_ = SendBytes(c, failure)
		return err
	}
	return SendBytes(c, welcome)
}

// verify checks the answer to the challenge m.
func (a *Auth) verify(m, answer []byte) error {
	digest, proof := "", answer
	switch name, rest, ok := digestOf(answer); {
	case ok:
		digest, proof = name, rest
	case len(answer) == md5.Size:
		digest = "md5"
	case len(answer) == sha256.Size && a.RawSHA256:
		digest = "sha256"
	case len(answer) == sha256.Size:
		return &AuthError{Msg: "the peer answered with a raw HMAC-SHA256, as some vendor builds of Python do: accepting that is an option"}
	case len(answer) > 0 && (answer[0] == 0x80 || answer[len(answer)-1] == '.'):
		return &AuthError{Msg: "a pickle came where the answer to the challenge should have been: the peer was probably made without authkey"}
	case bytes.HasPrefix(answer, challengePrefix):
		return &AuthError{Msg: "a challenge came where the answer to ours should have been: the peer takes itself for the listener"}
	default:
		return &AuthError{Msg: fmt.Sprintf("an answer of %d bytes in no known form: the peer does not seem to speak multiprocessing", len(answer))}
	}
	if digest == "md5" && a.ForbidMD5 {
		return &AuthError{Msg: "the peer answered with HMAC-MD5, which is forbidden: Pythons up to 3.11 know nothing else"}
	}
	if !hmac.Equal(proof, mac(digest, a.Key, m)) {
		return &AuthError{Msg: "the peer's answer to the challenge is wrong: the authkeys differ"}
	}
	return nil
}

// answer waits for a challenge and answers it.
func (a *Auth) answer(c *multiprocessingConn) error {
	received, err := c.receiveBytes()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(received, challengePrefix) {
		if bytes.Equal(received, failure) {
			return &AuthError{Msg: "the peer refused: the authkeys differ"}
		}
		return &AuthError{Msg: "no challenge came but other data: the peer was probably made without authkey"}
	}
	response, err := a.respond(received[len(challengePrefix):])
	if err != nil {
		return err
	}
	if err := SendBytes(c, response); err != nil {
		return err
	}
	verdict, err := c.receiveBytes()
	if err != nil {
		return err
	}
	if !bytes.Equal(verdict, welcome) {
		return &AuthError{Msg: "the peer refused the answer to its challenge: the authkeys differ"}
	}
	return nil
}

// respond makes the answer to the challenge m, in the form that m asks for.
func (a *Auth) respond(m []byte) ([]byte, error) {
	if len(m) < 16 {
		return nil, &AuthError{Msg: fmt.Sprintf("a challenge of %d bytes is too short", len(m))}
	}
	if name, _, ok := digestOf(m); ok {
		if name == "md5" && a.ForbidMD5 {
			return nil, &AuthError{Msg: "the peer's challenge asks for HMAC-MD5, which is forbidden"}
		}
		return slices.Concat([]byte("{"+name+"}"), mac(name, a.Key, m)), nil
	}
	if len(m) != 16 && len(m) != legacyChallenge {
		return nil, &AuthError{Msg: fmt.Sprintf("a challenge of %d bytes without a digest that is known", len(m))}
	}
	if a.RawSHA256 {
		return mac("sha256", a.Key, m), nil
	}
	if a.ForbidMD5 {
		return nil, &AuthError{Msg: "the peer's challenge asks for HMAC-MD5, which is forbidden: Pythons up to 3.11 know nothing else"}
	}
	return mac("md5", a.Key, m), nil
}

// explain adds the likely cause to an error of the connection. first says whether the first half
// of the handshake failed, in which a peer without authkey is found out.
func explain(err error, server, first bool) error {
	var known *AuthError
	var limit *pickleproto.LimitError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &limit):
		return &AuthError{Msg: fmt.Sprintf("a message of %d bytes where %d are allowed: the peer has no authkey, or does not speak multiprocessing", limit.Value, limit.Max), Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded) && !server && first:
		return &AuthError{Msg: "no challenge came in time: the listener was probably made without authkey", Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &AuthError{Msg: "the peer fell silent: it may have no authkey, or not speak multiprocessing", Err: err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &AuthError{Msg: "the peer closed the connection: it may have no authkey, another one, or refuse the digest", Err: err}
	}
	return &AuthError{Msg: err.Error(), Err: err}
}
