//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// door stands between an advisor and the API server, notes what is written and
// may slam when it is.
type door struct {
	kubeconfig string // leads through the door

	mu     sync.Mutex
	writes []string // "PATCH name", without those of leases
	// written is called when the server has done the n-th write, counted from 1,
	// and its answer has not left yet.
	written func(n int)
}

// openDoor opens a door for a user of these groups.
func (e env) openDoor(t *testing.T, user string, groups ...string) *door {
	t.Helper()
	config, err := e.Config(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     transport,
		FlushInterval: -1, // watches say what they have at once
		ModifyResponse: func(r *http.Response) error {
			d.note(r.Request)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			// What a client sees of a server that is away: a lost connection.
			panic(http.ErrAbortHandler)
		},
	}
	front := httptest.NewServer(proxy)
	front.Config.ErrorLog = nil
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	const name = "door"
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: front.URL}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, d.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *door) note(r *http.Request) {
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/leases") {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, r.Method+" "+r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if d.written != nil {
		d.written(len(d.writes))
	}
}

// reset forgets the writes and says what to do at the next ones.
func (d *door) reset(written func(n int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes, d.written = nil, written
}

// noted returns the writes since the last reset.
func (d *door) noted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.writes...)
}
