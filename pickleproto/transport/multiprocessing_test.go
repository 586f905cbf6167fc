package transport_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hmacOf(h func() hash.Hash, key, m string) string {
	x := hmac.New(h, []byte(key))
	x.Write([]byte(m))
	return string(x.Sum(nil))
}

// oldPython is the part of a Python that knows HMAC-MD5 alone; its challenge has 20 bytes.
type oldPython struct {
	key    string
	digest func() hash.Hash // of its answers and checks
	nonce  string
}

func (p oldPython) answer(c transport.Conn) error {
	m, err := transport.ReceiveBytes(c)
	if err != nil {
		return err
	}
	if err := transport.SendBytes(c, []byte(hmacOf(p.digest, p.key, strings.TrimPrefix(string(m), "#CHALLENGE#")))); err != nil {
		return err
	}
	_, err = transport.ReceiveBytes(c)
	return err
}

func (p oldPython) challenge(c transport.Conn) error {
	if err := transport.SendBytes(c, []byte("#CHALLENGE#"+p.nonce)); err != nil {
		return err
	}
	m, err := transport.ReceiveBytes(c)
	if err != nil {
		return err
	}
	verdict := "#FAILURE#"
	if string(m) == hmacOf(p.digest, p.key, p.nonce) {
		verdict = "#WELCOME#"
	}
	return transport.SendBytes(c, []byte(verdict))
}

// handshake lets peer talk to the one that tr makes, and returns the latter's Conn and error.
func handshake(t *testing.T, tr transport.Transport, server bool, o transport.Options, peer func(transport.Conn)) (transport.Conn, error) {
	a, b := net.Pipe()
	defer b.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		peer(open(t, transport.Multiprocessing(transport.Auth{}), b, transport.Options{HandshakeTimeout: -1}))
	})
	make := tr.Client
	if server {
		make = tr.Server
	}
	c, err := make(context.Background(), a, o)
	a.Close()
	wg.Wait()
	return c, err
}

func keyed(a transport.Auth) transport.Transport {
	if a.Key == nil {
		a.Key = []byte("k")
	}
	return transport.Multiprocessing(a)
}

const nonce20 = "01234567890123456789"

func TestHandshakeWithOldPython(t *testing.T) {
	for _, nonce := range []string{nonce20, nonce20[:16]} {
		p := oldPython{"k", md5.New, nonce}
		_, err := handshake(t, keyed(transport.Auth{}), true, transport.Options{}, func(c transport.Conn) {
			assert.NoError(t, p.answer(c))
			assert.NoError(t, p.challenge(c))
		})
		require.NoError(t, err)
		_, err = handshake(t, keyed(transport.Auth{}), false, transport.Options{}, func(c transport.Conn) {
			assert.NoError(t, p.challenge(c))
			assert.NoError(t, p.answer(c))
		})
		require.NoError(t, err)
	}
}

func TestHandshakeWithVendorPython(t *testing.T) {
	p := oldPython{"k", sha256.New, nonce20}
	for _, a := range []transport.Auth{{RawSHA256: true}, {RawSHA256: true, ForbidMD5: true}} {
		_, err := handshake(t, keyed(a), true, transport.Options{}, func(c transport.Conn) {
			assert.NoError(t, p.answer(c))
			assert.NoError(t, p.challenge(c))
		})
		require.NoError(t, err)
		_, err = handshake(t, keyed(a), false, transport.Options{}, func(c transport.Conn) {
			assert.NoError(t, p.challenge(c))
			assert.NoError(t, p.answer(c))
		})
		require.NoError(t, err)
	}
	_, err := handshake(t, keyed(transport.Auth{}), true, transport.Options{}, func(c transport.Conn) { _ = p.answer(c) })
	require.ErrorContains(t, err, "vendor")
}

// Each digest that 3.12 and later name, in the challenge and in the answer.
func TestHandshakeDigests(t *testing.T) {
	digests := map[string]func() hash.Hash{
		"md5": md5.New, "sha256": sha256.New, "sha384": sha512.New384,
		"sha3_256": func() hash.Hash { return sha3.New256() }, "sha3_384": func() hash.Hash { return sha3.New384() },
	}
	for name, digest := range digests {
		for _, forbid := range []bool{false, true} {
			forbidden := forbid && name == "md5"
			tr := keyed(transport.Auth{ForbidMD5: forbid})
			_, err := handshake(t, tr, true, transport.Options{}, func(c transport.Conn) {
				m, err := transport.ReceiveBytes(c)
				assert.NoError(t, err)
				m = bytes.TrimPrefix(m, []byte("#CHALLENGE#"))
				assert.Len(t, m, len("{sha256}")+40)
				assert.NoError(t, transport.SendBytes(c, []byte("{"+name+"}"+hmacOf(digest, "k", string(m)))))
				verdict, err := transport.ReceiveBytes(c)
				assert.NoError(t, err)
				if forbidden {
					assert.Equal(t, "#FAILURE#", string(verdict))
					return
				}
				assert.Equal(t, "#WELCOME#", string(verdict))
				assert.NoError(t, oldPython{"k", digest, "{" + name + "}" + nonce20}.challengeNamed(c, name))
			})
			if forbidden {
				require.ErrorContains(t, err, "forbidden")
			} else {
				require.NoError(t, err, name)
			}
		}
	}
}

// challengeNamed is challenge for a peer that wants the digest's name in the answer.
func (p oldPython) challengeNamed(c transport.Conn, name string) error {
	if err := transport.SendBytes(c, []byte("#CHALLENGE#"+p.nonce)); err != nil {
		return err
	}
	m, err := transport.ReceiveBytes(c)
	if err != nil {
		return err
	}
	verdict := "#FAILURE#"
	if string(m) == "{"+name+"}"+hmacOf(p.digest, p.key, p.nonce) {
		verdict = "#WELCOME#"
	}
	return transport.SendBytes(c, []byte(verdict))
}

func TestHandshakeGoWithGo(t *testing.T) {
	for _, keys := range [][2]string{{"k", "k"}, {"k", "other"}} {
		a, b := net.Pipe()
		var wg sync.WaitGroup
		var clientErr error
		wg.Go(func() {
			_, clientErr = keyed(transport.Auth{Key: []byte(keys[0]), ForbidMD5: true}).Client(context.Background(), b, transport.Options{})
			b.Close()
		})
		_, err := keyed(transport.Auth{Key: []byte(keys[1]), ForbidMD5: true}).Server(context.Background(), a, transport.Options{})
		a.Close()
		wg.Wait()
		if keys[0] == keys[1] {
			require.NoError(t, err)
			require.NoError(t, clientErr)
		} else {
			require.ErrorContains(t, err, "authkeys differ")
			require.ErrorContains(t, clientErr, "authkeys differ")
		}
	}
}

// What goes wrong between two programs that are configured differently has a likely cause, and
// the error names it.
func TestHandshakeMismatches(t *testing.T) {
	send := func(b string) func(transport.Conn) {
		return func(c transport.Conn) {
			go func() { _ = transport.SendBytes(c, []byte(b)) }()
			for {
				if _, err := transport.ReceiveBytes(c); err != nil {
					return
				}
			}
		}
	}
	closing := func(c transport.Conn) { c.NetConn().Close() }
	for _, tt := range []struct {
		name   string
		server bool
		auth   transport.Auth
		peer   func(transport.Conn)
		want   string
	}{
		{"a client without key", true, transport.Auth{}, send("\x80\x04N."), "without authkey"},
		{"a client that sends much", true, transport.Auth{}, send(strings.Repeat("x", 257)), "256"},
		{"a client that closes", true, transport.Auth{}, closing, "closed"},
		{"a client that takes itself for the listener", true, transport.Auth{}, send("#CHALLENGE#" + nonce20), "listener"},
		{"not multiprocessing", true, transport.Auth{}, send("GET / HTTP/1.1\r\n\r\n"), "multiprocessing"},
		{"a listener without key", false, transport.Auth{}, send("\x80\x04N."), "without authkey"},
		{"a listener that refuses", false, transport.Auth{}, send("#FAILURE#"), "differ"},
		{"a short challenge", false, transport.Auth{}, send("#CHALLENGE#short"), "too short"},
		{"an unknown digest", false, transport.Auth{}, send("#CHALLENGE#{sha1}" + nonce20 + nonce20), "digest"},
		{"MD5 only", false, transport.Auth{ForbidMD5: true}, send("#CHALLENGE#" + nonce20), "forbidden"},
		{"MD5 by name", false, transport.Auth{ForbidMD5: true}, send("#CHALLENGE#{md5}" + nonce20), "forbidden"},
		{"a listener that closes", false, transport.Auth{}, closing, "closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := handshake(t, keyed(tt.auth), tt.server, transport.Options{}, tt.peer)
			var auth *transport.AuthError
			require.ErrorAs(t, err, &auth)
			assert.Contains(t, err.Error(), tt.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := transport.Multiprocessing(transport.Auth{Key: []byte{}}).Server(context.Background(), &scripted{}, transport.Options{})
	require.ErrorContains(t, err, "empty authkey")
}

func TestHandshakeHasOneDeadline(t *testing.T) {
	for _, server := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			_, err := handshake(t, keyed(transport.Auth{}), server, transport.Options{HandshakeTimeout: 5 * time.Second}, func(c transport.Conn) {
				_, _ = transport.ReceiveBytes(c)
				for range 20 { // a byte a second of what might become an answer
					time.Sleep(time.Second)
					if _, err := c.NetConn().Write([]byte{0}); err != nil {
						return
					}
				}
			})
			require.Error(t, err)
			assert.LessOrEqual(t, time.Since(begin), 6*time.Second, "five, and what the peer sleeps on")
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, err := handshake(t, keyed(transport.Auth{}), false, transport.Options{}, func(c transport.Conn) { _, _ = transport.ReceiveBytes(c) })
		require.ErrorContains(t, err, "without authkey")
	})
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := keyed(transport.Auth{}).Client(ctx, a, transport.Options{})
		require.ErrorIs(t, err, context.Canceled)
		a.Close()
	})
}

// The client's first request may arrive with its last word of the handshake.
func TestHandshakeKeepsWhatFollows(t *testing.T) {
	p := oldPython{"k", md5.New, nonce20}
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		c := open(t, transport.Multiprocessing(transport.Auth{}), b, transport.Options{})
		assert.NoError(t, p.answer(c))
		assert.NoError(t, transport.SendBytes(c, []byte("#CHALLENGE#"+nonce20)))
		_, err := transport.ReceiveBytes(c)
		assert.NoError(t, err)
		_, err = b.Write([]byte("\x00\x00\x00\x09#WELCOME#\x00\x00\x00\x02N."))
		assert.NoError(t, err)
	}()
	c, err := keyed(transport.Auth{}).Server(context.Background(), a, transport.Options{})
	require.NoError(t, err)
	m, err := c.Receive()
	require.NoError(t, err)
	assert.Equal(t, "N.", string(m.Data))
}

func TestKeylessServerNoticesASilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notices []string
		c, peer := pipe(t, transport.Multiprocessing(transport.Auth{}), transport.Options{
			HandshakeTimeout: 10 * time.Second, Notice: func(s string) { notices = append(notices, s) },
		})
		go func() {
			time.Sleep(time.Hour) // for a peer without authkey that is as good as any other time
			_, _ = peer.Write([]byte("\x00\x00\x00\x02N."))
		}()
		_, err := c.Receive()
		require.NoError(t, err)
		require.Len(t, notices, 1)
		assert.Contains(t, notices[0], "authkey")
	})
}

func TestKeylessClientRecognisesAChallenge(t *testing.T) {
	nc := &scripted{chunks: [][]byte{[]byte("\x00\x00\x00\x1f#CHALLENGE#" + nonce20)}}
	c, err := transport.Multiprocessing(transport.Auth{}).Client(context.Background(), nc, transport.Options{})
	require.NoError(t, err)
	_, err = c.Receive()
	require.ErrorContains(t, err, "authkey")
}

// The long form of the length is accepted for messages of any size, and written only where the
// short one does not do.
func TestLongLength(t *testing.T) {
	nc := &scripted{chunks: chunked("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02N.\x00\x00\x00\x02N.", 5)}
	c := open(t, transport.Multiprocessing(transport.Auth{}), nc, transport.Options{})
	for range 2 {
		m, err := c.Receive()
		require.NoError(t, err)
		assert.Equal(t, "N.", string(m.Data))
	}
}

func TestLongLengthWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 2 GiB of address space")
	}
	nc := &countedWrites{}
	c := open(t, transport.Multiprocessing(transport.Auth{}), nc, transport.Options{})
	tooLong := int64(1) << 31 // for the short form
	require.NoError(t, c.Send(make([]byte, int64(c.Headroom())+tooLong)))
	assert.Equal(t, 12+tooLong, nc.n)
	assert.Equal(t, "\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x00\x00", nc.head)
	require.NoError(t, c.Send(make([]byte, int64(c.Headroom())+tooLong-1)))
	assert.Equal(t, "\x7f\xff\xff\xff", nc.head[:4])
}

type countedWrites struct {
	scripted
	n    int64
	head string
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.n, c.head = int64(len(p)), string(p[:12])
	return len(p), nil
}
