package manifest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// writeFiles writes files below a new directory.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compress(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCompressed(t *testing.T) {
	document, err := observe.Encode(read(t, podText("d"), everything))
	if err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, map[string]string{
		"a.yaml.gz": compress(t, podText("a")), "b.yml.gz": compress(t, podText("b")), "observation.json.gz": compress(t, string(document)),
		"odd.gz": compress(t, podText("odd")), "broken/broken.yaml.gz": "no gzip", "short/short.yaml.gz": compress(t, podText("a"))[:30], "notes.txt.gz": "x",
	})
	for _, tc := range []struct {
		name string
		want []string
	}{
		{"a.yaml.gz", []string{"a"}},
		{"odd.gz", []string{"odd"}},
		{"", []string{"a", "b", "d"}},
	} {
		obs, err := Read(t.Context(), []string{filepath.Join(dir, tc.name)}, Options{}, everything)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var want []string
		for _, name := range tc.want {
			want = append(want, "default/Pod/"+name+" default")
		}
		if diff := cmp.Diff(want, seen(obs)); diff != "" {
			t.Errorf("pods of %s (-want +got):\n%s", tc.name, diff)
		}
	}
	for _, name := range []string{"broken/broken.yaml.gz", "short/short.yaml.gz"} {
		if _, err := Read(t.Context(), []string{filepath.Join(dir, name)}, Options{}, everything); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that names %s", err, name)
		}
	}
}

// opened opens a text.
func opened(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

// Of a stream only a few documents are in memory, however many it has, and whether its size
// is known or not.
func TestPartsAreSmall(t *testing.T) {
	text := strings.Repeat(podText("a")+"---\n", 5000)
	const part = 10_000
	for _, size := range []int{0, len(text)} {
		in := &parts{in: strings.NewReader(text), size: int64(size), part: part}
		for !in.done {
			if data, err := in.next(); err != nil || len(data) > 2*part {
				t.Fatalf("size %d: a part of %d bytes, error %v, want at most %d", size, len(data), err, 2*part)
			}
		}
	}
}

// The limit holds for what is read, whatever it is read from.
func TestLimited(t *testing.T) {
	const limit = 1000
	for n, want := range map[int]error{limit: nil, limit + 1: errTooLarge} {
		text := strings.Repeat("x", n)
		packed, err := decompressed(strings.NewReader(compress(t, text)), limit)
		if err != nil {
			t.Fatal(err)
		}
		for name, in := range map[string]io.Reader{
			"at once":      &limited{strings.NewReader(text), limit, errTooLarge},
			"byte by byte": &limited{iotest.OneByteReader(strings.NewReader(text)), limit, errTooLarge},
			"compressed":   packed.in,
		} {
			data, err := io.ReadAll(in)
			if !errors.Is(err, want) || len(data) > limit || err == nil && len(data) != n {
				t.Errorf("%d bytes, %s: %d bytes, error %v, want %v", n, name, len(data), err, want)
			}
		}
	}
}

// A stream of documents in parts has the same documents, on the same lines, as at once.
func TestParts(t *testing.T) {
	r := podtest.Rand(t)
	line := func() string {
		return podtest.Pick(r, "---", "...", "--- # c", "--- a", "----", "a: b", "- {}", "#", "", "%YAML 1.1", "{}", `{"a": 1}`, "  ---", strings.Repeat("x", 40))
	}
	end := func() string { return podtest.Pick(r, "\n", "\n", "\n", "\n", "\r\n", "\r", "\u0085", "\u2028") }
	several := 0
	for range 20_000 {
		var stream strings.Builder
		stream.WriteString(podtest.Pick(r, "", "", byteOrderMark))
		for range r.IntN(20) {
			stream.WriteString(line() + end())
		}
		stream.WriteString(podtest.Pick(r, "", "-", "--", "---"))
		text := stream.String()
		type found struct {
			n, line int
			text    string
			failed  bool
		}
		split := func(in *parts) (all []found) {
			at := position{}
			for n := 0; !in.done; n++ {
				data, err := in.next()
				if err != nil {
					t.Fatal(err)
				}
				for n, d := range documents(data, &at) {
					// The line break before a marker may belong to either.
					all = append(all, found{n, d.line, string(bytes.TrimSpace(d.text)), d.err != nil})
				}
				if n > 0 {
					several++
				}
			}
			return all
		}
		want := split(newParts(strings.NewReader(text), 0))
		in := podtest.Pick[io.Reader](r, strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text)))
		size := podtest.Pick(r, 0, len(text), 1, 1000)
		part := 1 + r.IntN(60)
		got := split(&parts{in: in, size: int64(size), part: part})
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(found{})); diff != "" {
			t.Fatalf("%q in parts of %d, size %d (-at once +in parts):\n%s", text, part, size, diff)
		}
	}
	if several < 2_000 {
		t.Errorf("only %d parts that are not the first", several)
	}
}

// What is compressed does not grow without a bound.
func TestGrowth(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a/zeros.yaml.gz": compress(t, strings.Repeat("#\n", 10<<20)), "b/small.yaml.gz": compress(t, podText("a")+strings.Repeat("#\n", 7<<20)),
	})
	path := filepath.Join(dir, "a", "zeros.yaml.gz")
	want := "reading " + path + ": it decompresses to more than 100 times its size and 16 MiB: decompress it first if that is meant"
	if _, err := Read(t.Context(), []string{path}, Options{}, everything); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	obs, err := Read(t.Context(), []string{path, filepath.Join(dir, "b")}, Options{SkipInvalid: true}, everything)
	if err != nil || len(obs.Skipped) != 1 || obs.Skipped[0].Error() != want || obs.Pods() != 1 {
		t.Errorf("%v, observed %+v", err, obs)
	}
}

func TestLargeFile(t *testing.T) {
	path := filepath.Join(writeFiles(t, map[string]string{"large.yaml": "", "a.yaml": podText("a")}), "large.yaml")
	// Without the blocks to hold it.
	if err := os.Truncate(path, maxFile+1); err != nil {
		t.Fatal(err)
	}
	want := "reading " + path + ": it is larger than 1 GiB: split it"
	if _, err := Read(t.Context(), []string{path}, Options{}, everything); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	obs, err := Read(t.Context(), []string{filepath.Dir(path)}, Options{SkipInvalid: true}, everything)
	if err != nil || len(obs.Skipped) != 1 || obs.Skipped[0].Error() != want || obs.Pods() != 1 {
		t.Errorf("%v, observed %+v", err, obs)
	}
}

// What is no regular file is not opened, unless it is a pipe that is named.
func TestSpecialFiles(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.yaml": podText("a")})
	pipe, socket := filepath.Join(dir, "pipe.yaml"), filepath.Join(dir, "socket.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.yaml")); err != nil {
		t.Fatal(err)
	}
	obs, err := Read(t.Context(), []string{dir}, Options{SkipInvalid: true}, everything)
	if err != nil {
		t.Fatal(err)
	}
	want := []observe.Skipped{
		{Place: observe.Place{File: pipe}, Problem: errNotRegular.Error()},
		{Place: observe.Place{File: socket}, Problem: errNotRegular.Error()},
		{Place: observe.Place{File: filepath.Join(dir, "zero.yaml")}, Problem: errNotRegular.Error()},
	}
	if diff := cmp.Diff(want, obs.Skipped); diff != "" || obs.Pods() != 1 {
		t.Errorf("%d pods, skipped (-want +got):\n%s", obs.Pods(), diff)
	}
	for _, path := range []string{"/dev/zero", "/dev/null", socket} {
		if _, err := Read(t.Context(), []string{path}, Options{SkipInvalid: true}, everything); err == nil || !strings.Contains(err.Error(), "reading "+path+": neither a file nor a pipe") {
			t.Errorf("error %v of %s", err, path)
		}
	}
	go func() {
		if err := os.WriteFile(pipe, []byte(podText("p")), 0o600); err != nil {
			t.Error(err)
		}
	}()
	obs, err = Read(t.Context(), []string{pipe}, Options{}, everything)
	if err != nil || obs.Pods() != 1 {
		t.Errorf("%v, observed %+v", err, obs)
	}
}

// What blocks does not block longer than the context allows.
func TestReadEndsWithItsContext(t *testing.T) {
	t.Run("standard input", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			in, out := io.Pipe()
			defer out.Close()
			if _, err := Read(ctx, []string{Stdin}, Options{In: in, SkipInvalid: true}, everything); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "reading stdin: ") {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("a pipe that nobody writes to", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Read(ctx, []string{pipe}, Options{}, everything); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		// Lets the reader go.
		if err := os.WriteFile(pipe, nil, 0o600); err != nil {
			t.Error(err)
		}
	})
	t.Run("many documents", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &reader{}
		cancel()
		if err := r.readSource(ctx, "x", opened(podText("a"))); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("one large document", func(t *testing.T) {
		// The time is enough to split it, and not to parse it.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		r := &reader{}
		err := r.readSource(ctx, "x", opened("a:\n"+strings.Repeat("- {b: [c, d, e]}\n", 1<<18)))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "reading x: ") {
			t.Errorf("error %v", err)
		}
	})
}

func TestLargeText(t *testing.T) {
	const before = 70
	defer debug.SetGCPercent(debug.SetGCPercent(before))
	text := strings.Repeat(strings.Repeat("#", 1023)+"\n", largeText>>10)
	list := "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: web}\n  spec: {containers: [{name: c, image: i}]}\n"
	obs, err := Read(t.Context(), []string{Stdin}, Options{In: strings.NewReader(text + list)}, everything)
	if err != nil || len(obs.Members) != 1 {
		t.Errorf("%v, %v", obs, err)
	}
	if after := debug.SetGCPercent(before); after != before {
		t.Errorf("garbage is collected at %d%%, want %d%% as before", after, before)
	}
}
