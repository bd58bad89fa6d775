package publish

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
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

// Hash returns the hash of the content of a ConfigMap: the SHA-256 in hex of, for each
// key in order, the key, the size of its value in decimal, and the value, with a zero
// byte after key and size.
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

// HashLength is the number of characters of the hash in the name of a ConfigMap.
const HashLength = 16

// configMap returns the ConfigMap of a part, named psp-advisor.NAMESPACE.HASH or
// psp-advisor-cluster.HASH. These differ because a namespace has no dot, and are far
// shorter than the limit of 253 characters.
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
	if kind == LabelReport {
		cm.Immutable = new(true)
	}
	for key, value := range c {
		if strings.HasSuffix(key, GzipSuffix) {
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

// file returns a file, decompressed if needed.
func (c content) file(name string) ([]byte, error) {
	if data, ok := c[name]; ok {
		return data, nil
	}
	packed, ok := c[name+GzipSuffix]
	if !ok {
		return nil, fmt.Errorf("reading %s: it is missing", name)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("reading %s: it is larger than %d MiB", name, maxFile>>20)
	}
	return data, nil
}

// maxFile is the maximum size of a decompressed file in bytes, far above that of any
// report.
const maxFile = 256 << 20

// packer distributes files over ConfigMaps.
type packer struct {
	parts []content
	size  int // of the last part
}

// addFile adds a file: JSON, YAML documents or text.
func (p *packer) addFile(name string, data []byte) error {
	switch path.Ext(name) {
	case ".json":
		return p.addJSON(name, data)
	case ".yaml":
		for _, d := range documents(data) {
			if len(d)+len(name) > MaxBytes {
				return fmt.Errorf("a document of %s has %d bytes, more than the %d of a ConfigMap: %.100q: %w", name, len(d), MaxBytes, d, errTooLarge)
			}
			p.add(name, d)
		}
		if len(data) == 0 {
			p.add(name, nil)
		}
		return nil
	default:
		p.add(name, data)
		return nil
	}
}

// add appends data to the last part, or to a new one if it does not fit.
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

// addJSON adds JSON or, if it is large, compressed JSON, which can be split over several
// parts. The gzip header has no time, so the same JSON gives the same bytes.
func (p *packer) addJSON(name string, data []byte) error {
	if len(data) <= GzipAbove {
		p.add(name, data)
		return nil
	}
	gzipped := name + GzipSuffix
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

// documents splits YAML before each line that starts a document.
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

// marshal returns one line of JSON, with all characters escaped that are not printable,
// but < and > unescaped.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return printable.JSON(out.Bytes()), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
