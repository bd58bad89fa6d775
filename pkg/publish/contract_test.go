package publish_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// pack makes the bundle of a fleet of one namespace.
func pack(t *testing.T, namespace string, level aggregate.Level, obs *observe.Observation) publish.Bundle {
	t.Helper()
	results := generate.Run([]generate.Engine{psp.Engine()}, obs.Members, level)
	b, err := publish.Pack(namespace, obs, report.New(obs, level, results), report.Findings(obs, nil, 0), results)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// workloads is n workloads of a namespace, added in the order of a permutation.
func workloads(namespace string, order []int) *observe.Observation {
	obs := &observe.Observation{Scope: observe.Scope{Pods: true, Templates: true}}
	var members aggregate.Fleet
	for _, n := range order {
		members.Add(aggregate.Pod{
			Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: fmt.Sprintf("web-%05d", n)},
			ServiceAccount: fmt.Sprintf("account-%d", n%7),
			Profile: &profile.Profile{
				Volumes:   profile.SetOf(profile.Name(fmt.Sprintf("type%d", n))),
				RunAsUser: profile.SetOf(profile.User{}),
			},
		})
	}
	obs.Members = members.Members()
	return obs
}

// TestExample holds the published example against what is made from its input:
// the example is part of the contract's documentation.
func TestExample(t *testing.T) {
	index := publish.Index{
		APIVersion: publish.APIVersion, Kind: publish.KindIndex, Level: aggregate.ByWorkload, Engines: []string{"psp"},
		Coverage: publish.Coverage{Complete: true, Sources: []string{"pods", "templates"}},
	}
	var objects []*corev1.ConfigMap
	for _, namespace := range []string{"monitoring", "shop"} {
		obs, err := manifest.Read(t.Context(), []string{"../../manifests/report/input.yaml"}, manifest.Options{}, observe.Scope{
			Namespaces: []string{namespace}, Pods: true, Templates: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		// As a server would say it, which tells of no other namespace.
		obs.Elsewhere = 0
		b := pack(t, namespace, aggregate.ByWorkload, obs)
		index.Reports = append(index.Reports, b.Entry)
		objects = append(objects, b.ConfigMaps...)
	}
	cm, err := index.ConfigMap()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	got.WriteString("# What advisor publish writes for input.yaml.\n")
	for _, o := range append([]*corev1.ConfigMap{cm}, objects...) {
		doc, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(doc)
	}
	const golden = "../../manifests/report/configmaps.yaml"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("%s is out of date; run the test with -update (-want +got):\n%s", golden, d)
	}
	back, err := publish.ReadIndex(cm)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(index, back, unpublished); d != "" {
		t.Errorf("index read back (-want +got):\n%s", d)
	}
}

// TestPackAnyOrder: the order in which pods are seen leaves no trace.
func TestPackAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for _, level := range aggregate.Levels() {
		want := pack(t, "shop", level, workloads("shop", random.Perm(200)))
		got := pack(t, "shop", level, workloads("shop", random.Perm(200)))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("seed %d, level %s (-one +other):\n%s", seed, level, d)
		}
	}
}

// TestPackSizes: whatever the size, no ConfigMap is above the limit, no document
// is split, and the parts put together are the whole.
func TestPackSizes(t *testing.T) {
	long := strings.Repeat("n", validation.DNS1123LabelMaxLength)
	for _, tc := range []struct {
		workloads  int
		configMaps int // at least
		key        string
	}{{1, 1, publish.ReportFile}, {100, 1, publish.ReportFile}, {1500, 3, publish.ReportFile + publish.GzipSuffix}} {
		t.Run(fmt.Sprint(tc.workloads), func(t *testing.T) {
			obs := workloads(long, rand.Perm(tc.workloads))
			results := generate.Run([]generate.Engine{psp.Engine()}, obs.Members, aggregate.ByWorkload)
			want, err := generate.YAML(results[0].Outputs, true)
			if err != nil {
				t.Fatal(err)
			}
			r := report.New(obs, aggregate.ByWorkload, results)
			b, err := publish.Pack(long, obs, r, report.Findings(obs, nil, 0), results)
			if err != nil {
				t.Fatal(err)
			}
			if len(b.ConfigMaps) < tc.configMaps {
				t.Errorf("%d bytes of policies are in %d ConfigMaps, want at least %d", len(want), len(b.ConfigMaps), tc.configMaps)
			}
			keys := 0
			for _, cm := range b.ConfigMaps {
				keys += countKey(cm, tc.key)
				check(t, cm)
				docs := cm.Data[publish.PoliciesFile("psp")]
				if docs != "" && !strings.HasPrefix(docs, "---\n") {
					t.Errorf("%s begins within a document: %.40q", cm.Name, docs)
				}
			}
			if keys == 0 {
				t.Errorf("no %s", tc.key)
			}
			files, err := publish.Unpack(b.Entry, b.ConfigMaps)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(files["psp.yaml"], want) {
				t.Error("psp.yaml put together is not what the policies are")
			}
			doc, err := publish.ReadReport(files[publish.ReportFile])
			if err != nil {
				t.Fatal(err)
			}
			if back, err := observe.Decode(files[publish.ObservationFile]); err != nil || cmp.Diff(asJSON(t, obs.Members), asJSON(t, back.Members)) != "" {
				t.Errorf("the observation read back is another one: %v", err)
			}
			if d := cmp.Diff(asJSON(t, r.Workloads), asJSON(t, doc.Workloads)); d != "" {
				t.Errorf("report read back (-want +got):\n%s", d)
			}
			if len(b.ConfigMaps) > 1 {
				parts := slices.Clone(b.ConfigMaps)
				slices.Reverse(parts)
				if _, err := publish.Unpack(b.Entry, parts); err == nil {
					t.Error("parts in the wrong order pass for the report")
				}
			}
		})
	}
}

// unpublished is what an index does not have when it is read back.
var unpublished = cmpopts.IgnoreFields(publish.Entry{}, "Rules")

// TestIndexSizes: an index of thousands of namespaces is still one ConfigMap.
func TestIndexSizes(t *testing.T) {
	index := publish.Index{APIVersion: publish.APIVersion, Kind: publish.KindIndex, Engines: []string{"psp"}}
	index.Coverage.Sources = []string{"pods"}
	like := pack(t, "shop", aggregate.ByNamespace, workloads("shop", []int{1})).Entry
	for n := range 3000 {
		e := like
		e.Namespace = fmt.Sprintf("namespace-%04d", n)
		// Hashes do not compress.
		e.Files = map[string]string{}
		for file := range like.Files {
			e.Files[file] = hash(n, file)
		}
		e.ConfigMaps = []string{"psp-advisor." + e.Namespace + "." + hash(n, "content")[:publish.HashLength]}
		index.Reports = append(index.Reports, e)
	}
	cm, err := index.ConfigMap()
	if err != nil {
		t.Fatal(err)
	}
	check(t, cm)
	back, err := publish.ReadIndex(cm)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(index, back, unpublished); d != "" {
		t.Errorf("index read back (-want +got):\n%s", d)
	}
}

// TestPackTooLarge: a document that no ConfigMap can take is an error that says
// so.
func TestPackTooLarge(t *testing.T) {
	obs := workloads("shop", []int{1})
	results := generate.Run([]generate.Engine{psp.Engine()}, obs.Members, aggregate.ByWorkload)
	results[0].Outputs[0].Objects = generate.Made(generate.Object{Value: &map[string]string{"x": strings.Repeat("x", publish.MaxBytes)}})
	_, err := publish.Pack("shop", obs, report.New(obs, aggregate.ByWorkload, results), report.Findings(obs, nil, 0), results)
	if err == nil || !strings.Contains(err.Error(), "more than the 786432 of a ConfigMap") {
		t.Errorf("error is %v", err)
	}
}

// TestPackLongNames: an owner reference may give a name of any length, and it
// stands in a part that is not split.
func TestPackLongNames(t *testing.T) {
	w := aggregate.Workload{Namespace: "shop", Group: "example.org", Kind: "Owner", Name: strings.Repeat("é", publish.MaxBytes/2)}
	obs := &observe.Observation{
		UnknownOwners: []aggregate.Workload{w},
		Members:       []aggregate.Member{{Workload: w, ServiceAccount: "default", Profile: &profile.Profile{ShareProcessNamespace: profile.SetOf(profile.True)}}},
	}
	for _, cm := range pack(t, "shop", aggregate.ByWorkload, obs).ConfigMaps {
		check(t, cm)
	}
}

// check holds a ConfigMap against what every published one must fulfil.
func check(t *testing.T, cm *corev1.ConfigMap) {
	t.Helper()
	size := 0
	for key, value := range cm.Data {
		size += len(key) + len(value)
	}
	for key, value := range cm.BinaryData {
		size += len(key) + len(value)
	}
	if size > publish.MaxBytes {
		t.Errorf("%s takes %d bytes", cm.Name, size)
	}
	if problems := validation.IsDNS1123Subdomain(cm.Name); len(problems) > 0 {
		t.Errorf("%s: %v", cm.Name, problems)
	}
	for label, value := range cm.Labels {
		if problems := slices.Concat(validation.IsQualifiedName(label), validation.IsValidLabelValue(value)); len(problems) > 0 {
			t.Errorf("%s: label %s=%s: %v", cm.Name, label, value, problems)
		}
	}
	hash := publish.Hash(cm)
	if cm.Annotations[publish.HashAnnotation] != hash {
		t.Errorf("%s: content has hash %s, annotation says %s", cm.Name, hash, cm.Annotations[publish.HashAnnotation])
	}
	if cm.Name != publish.IndexName && !strings.HasSuffix(cm.Name, "."+hash[:publish.HashLength]) {
		t.Errorf("%s does not end in its hash %s", cm.Name, hash)
	}
}

func countKey(cm *corev1.ConfigMap, key string) int {
	n := 0
	if _, ok := cm.Data[key]; ok {
		n++
	}
	if _, ok := cm.BinaryData[key]; ok {
		n++
	}
	return n
}

func hash(parts ...any) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, parts...))) }

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
