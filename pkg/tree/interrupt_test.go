package tree

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// childEnv makes the test binary apply a tree to the folder that it names.
const childEnv = "TREE_TEST_APPLY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	m.Run()
}

// child applies the new tree, and tells when it begins.
func child(dir string) {
	p, err := NewPlan(dir, bigTree("new"), Scope{})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, "go")
	if err := p.Apply(); err != nil {
		panic(err)
	}
}

// bigTree has files enough for an apply to take a while. Half of them depend on
// version.
func bigTree(version string) Files {
	files := Files{}
	for i := range 24 {
		text := fmt.Sprintf("number: %d", i)
		if i%2 == 0 {
			text += "\nversion: " + version
		}
		files[fmt.Sprintf("ns%d/file%d.yaml", i%5, i)] = own(text)
	}
	files[version+"/only.yaml"] = own("version: " + version)
	return files
}

// TestInterrupted kills an apply after each of 48 delays, up to about twice the
// time that it takes, and then after longer ones until it is done before. They
// are in no order, so that a slow disk sees early and late ones within the
// minute. Each time the folder is the old tree or the new one, and the next run finishes
// the work and leaves nothing else.
func TestInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: starts many processes")
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "policies")
	apply(t, dir, bigTree("old"), Scope{})
	(tree{"README.md": "mine"}).write(t, dir)
	old := content(t, dir)
	start := time.Now()
	apply(t, dir, bigTree("new"), Scope{})
	step := time.Since(start) / 24
	whole := content(t, dir)

	count := map[string]int{}
	for n := 0; (n < 48 || count["finished"] < 2 || count["old"] == 0) && time.Since(start) < time.Minute; n++ {
		apply(t, dir, bigTree("old"), Scope{})
		finished := killAfter(t, dir, time.Duration(n*29%48*(1+n/48))*step)
		switch got := content(t, dir); {
		case cmp.Equal(got, old):
			count["old"]++
		case cmp.Equal(got, whole):
			count["new"]++
		default:
			t.Fatalf("killed in attempt %d: neither the old tree (-want +got):\n%s\nnor the new one (-want +got):\n%s", n, cmp.Diff(old, got), cmp.Diff(whole, got))
		}
		if left, err := filepath.Glob(filepath.Join(parent, ".*")); err != nil {
			t.Fatal(err)
		} else if len(left) > 0 {
			count["left"]++
		}
		if finished {
			count["finished"]++
		}
		apply(t, dir, bigTree("new"), Scope{})
		if diff := cmp.Diff(whole, content(t, dir)); diff != "" {
			t.Fatalf("after the next run (-want +got):\n%s", diff)
		}
	}
	t.Logf("left the old tree %d times, the new one %d times; %d times something lay beside it until the next run", count["old"], count["new"], count["left"])
	if count["old"] == 0 || count["new"] == 0 {
		t.Errorf("the runs were not killed at all stages: %v", count)
	}
}

// killAfter starts a child that applies the new tree, kills it after a while and
// reports whether it was done before.
func killAfter(t *testing.T, dir string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// The race detector would make it wait for a second at its end.
	cmd.Env = append(os.Environ(), childEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "go\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	return cmd.Wait() == nil
}

// TestExchangeInTwo is the exchange for file systems without one in one step.
func TestExchangeInTwo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before tree
		after  tree
		err    bool
	}{
		{"new in place of old", tree{"s/new": "", "p/old": ""}, tree{"p/new": ""}, false},
		{"no old", tree{"s/new": ""}, tree{"p/new": ""}, false},
		{"no new: the old stays", tree{"p/old": ""}, tree{"p/old": ""}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.before.write(t, dir)
			if err := exchangeInTwo(filepath.Join(dir, "s"), filepath.Join(dir, "p")); (err != nil) != tc.err {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tc.after, content(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// Staging goes wrong when a file cannot be written; the old tree stays.
func TestStagingFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"shop/a.yaml": mark, "x": "mine"}.write(t, dir)
	before := content(t, dir)
	tooLong := strings.Repeat("b", 256) + ".yaml"
	if err := plan(t, dir, Files{"shop/" + tooLong: own("b: 1")}, Scope{}).Apply(); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff(before, content(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(stagingOf(dir)); !os.IsNotExist(err) {
		t.Errorf("the staging folder is left: %v", err)
	}
}

// A plan is for the folder as it was.
func TestApplyOutOfDate(t *testing.T) {
	for _, tc := range []struct {
		name      string
		meanwhile tree
		want      string
	}{
		{"another run", tree{"shop/c.yaml": mark + "c: 1"}, "it was changed by somebody else meanwhile"},
		{"a file of somebody else", tree{"shop/b.yaml": "mine"}, "was not written by the advisor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			tree{"shop/a.yaml": mark}.write(t, dir)
			p := plan(t, dir, Files{"shop/a.yaml": own("a: 1"), "shop/b.yaml": own("b: 1")}, Scope{})
			tc.meanwhile.write(t, dir)
			before := content(t, dir)
			if err := p.Apply(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if diff := cmp.Diff(before, content(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// Runs at once never mix their trees.
func TestAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	apply(t, dir, bigTree("v0"), Scope{})
	var done, lost int
	var mu sync.Mutex
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for range 20 {
				p, err := NewPlan(dir, bigTree(fmt.Sprintf("v%d", worker)), Scope{})
				if err == nil {
					err = p.Apply()
				}
				mu.Lock()
				switch {
				case err == nil:
					done++
				case errors.Is(err, fs.ErrNotExist), strings.Contains(err.Error(), "changed by somebody else"):
					lost++ // the folder was exchanged while it was read, or since then
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d runs were done, %d gave way", done, lost)
	got := content(t, dir)
	for worker := range 4 {
		fresh := filepath.Join(t.TempDir(), "policies")
		apply(t, fresh, bigTree(fmt.Sprintf("v%d", worker)), Scope{})
		if cmp.Equal(got, content(t, fresh)) {
			return
		}
	}
	t.Errorf("a tree that nobody wanted:\n%v", got)
}
