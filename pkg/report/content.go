package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// content is the data and binary data of a ConfigMap.
type content map[string][]byte

func contentOf(cm *corev1.ConfigMap) content {
	c := maps.Clone(content(cm.BinaryData))
	if c == nil {
		c = content{}
	}
	for key, value := range cm.Data {
		c[key] = []byte(value)
	}
	return c
}

// Hash returns the hash of a ConfigMap's content: SHA-256, in hex, over each key
// in order, the size of its value in decimal, and the value, with a zero byte
// behind key and size.
func Hash(cm *corev1.ConfigMap) string { return contentOf(cm).hash() }

func (c content) hash() string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(c)) {
		for _, part := range [][]byte{[]byte(key), {0}, []byte(strconv.Itoa(len(c[key]))), {0}, c[key]} {
			h.Write(part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// HashLength is how much of its hash a ConfigMap has in its name.
const HashLength = 16

// configMap returns the ConfigMap of a part, named psp-advisor.NAMESPACE.HASH,
// or psp-advisor-cluster.HASH: a namespace has no dot, so the two never meet,
// and the longest name is far below the limit of 253.
func (c content) configMap(kind, namespace string) *corev1.ConfigMap {
	hash := c.hash()
	cm := &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        "psp-advisor-cluster." + hash[:HashLength],
			Labels:      map[string]string{generate.ManagedByLabel: generate.ManagedBy, KindLabel: kind},
			Annotations: map[string]string{HashAnnotation: hash},
		},
	}
	if namespace != "" {
		cm.Name = "psp-advisor." + namespace + "." + hash[:HashLength]
		cm.Labels[NamespaceLabel] = namespace
	}
	if kind == KindReport {
		cm.Immutable = new(true)
	}
	for key, value := range c {
		if strings.HasSuffix(key, ".gz") {
			if cm.BinaryData == nil {
				cm.BinaryData = map[string][]byte{}
			}
			cm.BinaryData[key] = value
			continue
		}
		if cm.Data == nil {
			cm.Data = map[string]string{}
		}
		cm.Data[key] = string(value)
	}
	return cm
}

// json returns the JSON under either key.
func (c content) json(plain, gzipped string) ([]byte, error) {
	if data, ok := c[plain]; ok {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(c[gzipped]))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", gzipped, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", gzipped, err)
	}
	return data, nil
}

// packer fills ConfigMaps one after the other.
type packer struct {
	namespace string
	parts     []content
	size      int // of the last part
}

// add appends to the last part, or begins another one where data does not fit.
func (p *packer) add(key string, data []byte) {
	if len(p.parts) == 0 || p.size+p.cost(key, data) > MaxBytes {
		p.parts, p.size = append(p.parts, content{}), 0
	}
	p.size += p.cost(key, data)
	last := p.parts[len(p.parts)-1]
	last[key] = append(last[key], data...)
}

func (p *packer) cost(key string, data []byte) int {
	if len(p.parts) > 0 {
		if _, ok := p.parts[len(p.parts)-1][key]; ok {
			return len(data)
		}
	}
	return len(key) + len(data)
}

// addJSON adds JSON as it is or, when large, gzipped and cut where a part ends.
// There is no time in the gzip header: the same JSON gives the same bytes.
func (p *packer) addJSON(plain, gzipped string, data []byte) error {
	if len(data) <= GzipAbove {
		p.add(plain, data)
		return nil
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	for packed.Len() > 0 {
		room := MaxBytes - p.size - len(gzipped)
		if room <= 0 {
			room = MaxBytes - len(gzipped)
		}
		p.add(gzipped, packed.Next(room))
	}
	return nil
}

// documents cuts YAML before each line that begins a document.
func documents(yaml []byte) [][]byte {
	const begin = "---\n"
	var list [][]byte
	for len(yaml) > 0 {
		end := len(yaml)
		if i := bytes.Index(yaml, []byte("\n"+begin)); i >= 0 {
			end = i + 1
		}
		list = append(list, yaml[:end])
		yaml = yaml[end:]
	}
	return list
}

// marshal writes one line of JSON, with < and > as they are.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return out.Bytes(), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
