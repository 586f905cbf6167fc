package housetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const consumer = `package main

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
)

type request struct {
	Numbers []int64 ` + "`pickle:\"numbers\"`" + `
}

func main() {
	s := &server.Server{
		Transport: transport.U32BE,
		Handler: server.Typed(func(_ context.Context, in request) (int64, error) {
			var sum int64
			for _, n := range in.Numbers {
				sum += n
			}
			return sum, nil
		}),
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go s.Serve(context.Background(), ln)
	c, err := client.Dial(context.Background(), ln.Addr().String(), client.WithTransport(transport.U32BE))
	if err != nil {
		log.Fatal(err)
	}
	var sum int64
	if err := c.Do(context.Background(), request{[]int64{1, 2, 39}}, &sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
}
`

// Another module requires this one with a replace line, as the README shows, and both libraries
// work in it.
func TestConsumerModule(t *testing.T) {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	goMod := "module example.com/consumer\n\ngo 1.25.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(consumer), 0o600))
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "42\n", string(out))
}
