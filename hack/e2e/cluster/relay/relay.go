// Package relay leads connections from one network to another, such as into
// the network namespace of a test node.
package relay

import (
	"io"
	"net"
)

// Serve joins every connection that the listener accepts with a new one to the
// address, until the listener is closed. Where that one cannot be made, the
// client sees its connection close.
func Serve(listener net.Listener, network, address string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			to, err := net.Dial(network, address)
			if err == nil {
				join(from, to)
			}
			_ = from.Close()
		}()
	}
}

// join copies both ways until both sides have said all. Either side may just
// vanish: then the copying ends too, and its error tells nobody anything.
func join(from, to net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(to, from)
		closeWrite(to)
	}()
	_, _ = io.Copy(from, to)
	closeWrite(from)
	<-done
	_ = to.Close()
}

func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
