package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// limits are those of a reader by default.
func limits(t *testing.T) Options {
	t.Helper()
	r, err := NewReader(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.options
}

// regular is a header of a regular file.
func regular(name string, mode int64) tar.Header { return tar.Header{Name: name, Mode: mode} }

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func opens(layers ...[]byte) []opener {
	var all []opener
	for _, l := range layers {
		all = append(all, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil })
	}
	return all
}

func TestSetuid(t *testing.T) {
	su := regular("usr/bin/su", 0o4755)
	for _, tc := range []struct {
		name   string
		layers [][]tar.Header
		want   string
	}{
		{"no layers", nil, ""},
		{"no such files", [][]tar.Header{{regular("bin/a", 0o755)}}, ""},
		{"both kinds", [][]tar.Header{{su, regular("./bin/wall", 0o2755), regular("/bin/both", 0o6755)}}, "/bin/both (setuid, setgid), /bin/wall (setgid), /usr/bin/su (setuid)"},
		{"directories and links are no files", [][]tar.Header{{
			{Name: "var/mail", Typeflag: tar.TypeDir, Mode: 0o2775}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a", Mode: 0o4777},
		}}, ""},
		{"replaced", [][]tar.Header{{su}, {regular("usr/bin/su", 0o755)}}, ""},
		{"added later", [][]tar.Header{{regular("usr/bin/su", 0o755)}, {su}}, "/usr/bin/su (setuid)"},
		{"replaced by a link", [][]tar.Header{{su}, {{Name: "usr/bin/su", Typeflag: tar.TypeSymlink, Linkname: "a"}}}, ""},
		{"replaced by a directory", [][]tar.Header{{su}, {{Name: "usr/bin/su/", Typeflag: tar.TypeDir}}}, ""},
		{"directory replaced by a file", [][]tar.Header{{su}, {regular("usr/bin", 0o755)}}, ""},
		{"removed", [][]tar.Header{{su}, {regular("usr/bin/.wh.su", 0)}}, ""},
		{"directory removed", [][]tar.Header{{su}, {regular(".wh.usr", 0)}}, ""},
		{"other name removed", [][]tar.Header{{su}, {regular("usr/bin/.wh.s", 0)}}, "/usr/bin/su (setuid)"},
		{"directory emptied", [][]tar.Header{{su}, {regular("usr/bin/ping", 0o4755), regular("usr/.wh..wh..opq", 0)}}, "/usr/bin/ping (setuid)"},
		{"root emptied", [][]tar.Header{{su}, {regular(".wh..wh..opq", 0)}}, ""},
		{"removed and added at once", [][]tar.Header{{su}, {su, regular("usr/bin/.wh.su", 0)}}, "/usr/bin/su (setuid)"},
		{"removed and added again", [][]tar.Header{{su}, {regular(".wh.usr", 0)}, {su}}, "/usr/bin/su (setuid)"},
		{"hard link", [][]tar.Header{{su, {Name: "bin/su", Typeflag: tar.TypeLink, Linkname: "usr/bin/su"}}}, "/bin/su (setuid), /usr/bin/su (setuid)"},
		{"hard link to another layer", [][]tar.Header{{su}, {{Name: "bin/su", Typeflag: tar.TypeLink, Linkname: "usr/bin/su"}}}, "/bin/su (setuid), /usr/bin/su (setuid)"},
		{"paths do not leave the root", [][]tar.Header{{regular("../../a/../su", 0o4755)}}, "/su (setuid)"},
		{"control characters", [][]tar.Header{{regular("\x1b[2J", 0o4755)}}, `/\x1b[2J (setuid)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for kind, pack := range map[string]func(*testing.T, []byte) []byte{
				"plain": func(_ *testing.T, data []byte) []byte { return data }, "gzip": gzipped, "zstd": zstandard,
			} {
				var layers [][]byte
				for _, l := range tc.layers {
					layers = append(layers, pack(t, tarOf(t, l...)))
				}
				got, err := setuid(t.Context(), opens(layers...), limits(t))
				if err != nil {
					t.Fatal(err)
				}
				var want []Result
				if tc.want != "" {
					want = []Result{{Setuid, 0, tc.want}}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

func TestSetuidIsBounded(t *testing.T) {
	var many []tar.Header
	for i := range maxSetuid + 1 {
		many = append(many, regular(fmt.Sprintf("bin/%04d", i), 0o4755))
	}
	got, err := setuid(t.Context(), opens(tarOf(t, many[:12]...)), limits(t))
	if err != nil {
		t.Fatal(err)
	}
	if detail := got[0].Detail; !strings.HasSuffix(detail, "/bin/0009 (setuid), 2 more") {
		t.Errorf("detail is %s", detail)
	}
	large := regular("large", 0)
	large.Size = 1 << 22
	few, small := limits(t), limits(t)
	few.MaxEntries, small.MaxLayerBytes = 2, 1<<20
	for _, tc := range []struct {
		name   string
		layers []opener
		limits Options
		want   string
	}{
		{"too many files of that kind", opens(tarOf(t, many...)), limits(t), "layer 1 of 1: the layers have more than 1000 setuid"},
		{"too many files", opens(tarOf(t, many[:2]...), tarOf(t, many[2])), few, "layer 2 of 2: the layers have more files"},
		{"too many bytes", opens(tarOf(t, large)), small, "the layers are larger"},
		{"too many bytes once unpacked", opens(gzipped(t, tarOf(t, large))), small, "the layers are larger"},
		{"too many bytes after the files", opens(gzipped(t, make([]byte, 1<<22))), small, "the layers are larger"},
		{"too many layers", opens(make([][]byte, maxLayers+1)...), limits(t), "501 layers"},
		{"not a tar", opens([]byte(strings.Repeat("x", 1024))), limits(t), "invalid tar header"},
		{"truncated", opens(gzipped(t, tarOf(t, large))[:100]), limits(t), "unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := setuid(t.Context(), tc.layers, tc.limits); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := setuid(ended, opens(tarOf(t, many...)), limits(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
}
