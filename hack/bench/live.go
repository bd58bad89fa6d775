package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// live runs a section against a real API server that has the fleet.
func (b *bench) live(ctx context.Context, s *section) (err error) {
	if !b.selects(s) {
		return nil
	}
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return fmt.Errorf("starting Kubernetes: %w", err)
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	kubeconfig, err := c.AdminKubeconfig()
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	loaded, err := b.measure(ctx, b.self, "load", "-etcd", c.Etcd(), "-kubeconfig", kubeconfig, "-pods", strconv.Itoa(b.pods))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "loaded %d pods in %.0fs\n", b.pods, loaded.wall.Seconds())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	return b.run(ctx, s, target{kubeconfig: kubeconfig, counts: func(ctx context.Context) (counts, error) {
		return metricsOf(ctx, client, config.Host+"/metrics")
	}})
}

// metricsOf reads what an API server has served of the fleet, and of ConfigMaps. It keeps
// a line of the metrics at a time, because the harness must stay small.
func metricsOf(ctx context.Context, client *http.Client, url string) (c counts, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return c, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return c, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read only
	if response.StatusCode != http.StatusOK {
		return c, fmt.Errorf("asking for metrics: %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		c.add(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return c, fmt.Errorf("reading metrics: %w", err)
	}
	return c, nil
}

// add adds a line of metrics.
func (c *counts) add(line string) {
	metric, value, ok := strings.Cut(line, "} ")
	name, labels, ok2 := strings.Cut(metric, "{")
	label := func(name, value string) bool { return strings.Contains(","+labels, ","+name+`="`+value+`"`) }
	if !ok || !ok2 || label("verb", "WATCH") {
		return
	}
	served := label("resource", "configmaps")
	for _, r := range fleet.Resources() {
		served = served || label("resource", r.Name)
	}
	n, err := strconv.ParseFloat(value, 64)
	if !served || err != nil {
		return
	}
	switch name {
	case "apiserver_request_total":
		c.requests += int64(n)
		if label("resource", "configmaps") && !label("verb", "GET") && !label("verb", "LIST") {
			c.writes += int64(n)
		}
	case "apiserver_response_sizes_sum":
		c.bytes += int64(n)
	}
}

// load stores a fleet in etcd as an API server does, and checks that the server has it. It
// takes seconds; creating the pods one by one and then their status takes many minutes.
func load(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	etcd := flags.String("etcd", "", "URL of etcd")
	kubeconfig := flags.String("kubeconfig", "", "the server of that etcd")
	pods := flags.Int("pods", 20_000, "number of pods")
	seed := flags.Uint64("seed", 1, "seed of the fleet")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("parsing flags: %w", err)
	}
	f := fleet.Fleet{Seed: *seed, Pods: *pods}
	w := &etcdWriter{url: *etcd + "/v3/kv/txn"}
	for _, name := range f.Namespaces() {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("namespace-" + name)}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}
		if err := w.put(ctx, "/registry/namespaces/"+name, "v1", "Namespace", n); err != nil {
			return err
		}
	}
	for _, r := range fleet.Resources() {
		// The only resource whose objects are stored by another name.
		directory := strings.Replace(r.Name, "replicationcontrollers", "controllers", 1)
		for o := range f.Objects(r) {
			m, ok := o.(marshaler)
			if !ok {
				return fmt.Errorf("encoding %s: it has no protobuf encoding", r.Name)
			}
			if err := w.put(ctx, "/registry/"+directory+"/"+o.GetNamespace()+"/"+o.GetName(), r.APIVersion, r.Kind, m); err != nil {
				return err
			}
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return check(ctx, *kubeconfig, *pods)
}

// check lists the pods of a server.
func check(ctx context.Context, kubeconfig string, want int) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	n, options := 0, metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		n += len(page.Items)
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	if n != want {
		return fmt.Errorf("the server has %d pods, want %d", n, want)
	}
	return nil
}

type marshaler interface{ Marshal() ([]byte, error) }

// etcdWriter collects puts for etcd's JSON gateway.
type etcdWriter struct {
	url string
	ops []etcdOp
}

// etcdOp is a RequestOp, whose bytes are base64 in JSON.
type etcdOp struct {
	Put etcdPut `json:"requestPut"`
}

type etcdPut struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// opsPerTxn is below the limit of etcd, 128, and of the size of a request, 1.5 MiB.
const opsPerTxn = 64

func (w *etcdWriter) put(ctx context.Context, key, apiVersion, kind string, object marshaler) error {
	data, err := object.Marshal()
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	u := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: data}
	if data, err = u.Marshal(); err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	w.ops = append(w.ops, etcdOp{etcdPut{[]byte(key), append([]byte("k8s\x00"), data...)}})
	if len(w.ops) < opsPerTxn {
		return nil
	}
	return w.flush(ctx)
}

func (w *etcdWriter) flush(ctx context.Context) error {
	if len(w.ops) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"success": w.ops})
	if err != nil {
		return fmt.Errorf("encoding a transaction: %w", err)
	}
	w.ops = w.ops[:0]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("writing to etcd: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("writing to etcd: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read only
	var answer struct {
		Succeeded bool
		Error     string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || !answer.Succeeded {
		return fmt.Errorf("writing to etcd: %s %s: %w", response.Status, answer.Error, err)
	}
	return nil
}
