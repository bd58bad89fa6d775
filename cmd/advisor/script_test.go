package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"advisor": main})
}

// TestScripts runs the command as a user does: each script is a case, with its
// input, and says what comes out.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOSTILE", "x\nkind: Pod\x1b[2J") // scripts cannot say it
			e.Setenv("GORACE", "atexit_sleep_ms=0")    // each command would wait for a second
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "fails": fails, "sameobjects": sameObjects,
		},
	})
}

// code: "code N ARGS" runs the advisor and expects that exit code. Its output is
// then there for stdout, stderr and cmp. Standard input is not forwarded: for
// that, use "exec".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: code N ARGS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	// The shell keeps the code of a command that ends with one.
	err = ts.Exec("sh", append([]string{"-c", `advisor "$@"; echo $? >"$WORK/.code"`, "advisor"}, args[1:]...)...)
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(ts.Getenv("WORK") + "/.code"))
	ts.Check(err)
	if got := strings.TrimSpace(string(data)); got != strconv.Itoa(want) {
		ts.Fatalf("exit code %s, want %d", got, want)
	}
}

// fails: "fails N ARGS" is code, and expects what every failure has in common:
// nothing on standard output; on standard error nothing but one line that is not
// too long, and no trace of a stack.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	code(ts, neg, args)
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("standard output is not empty: %q", out)
	}
	text := ts.ReadFile("stderr")
	if line, ok := strings.CutSuffix(text, "\n"); !ok || !strings.HasPrefix(line, "advisor: ") || strings.Contains(line, "\n") || len(line) > 500 {
		ts.Fatalf("standard error is not one line: %q", text)
	}
	for _, trace := range []string{"goroutine ", "panic:", ".go:", "Go struct", "\x1b"} {
		if strings.Contains(text, trace) {
			ts.Fatalf("standard error holds %q: %q", trace, text)
		}
	}
}

// sameObjects: "sameobjects YAML JSON" expects a file of YAML documents to hold
// the items of a List in JSON.
func sameObjects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameobjects YAML JSON")
	}
	var list struct {
		APIVersion, Kind string
		Items            []any
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &list))
	if list.APIVersion != "v1" || list.Kind != "List" {
		ts.Fatalf("%s is a %s of %s, want a List of v1", args[1], list.Kind, list.APIVersion)
	}
	objects := []any{}
	for _, doc := range bytes.Split([]byte("\n"+ts.ReadFile(args[0])), []byte("\n---\n"))[1:] {
		var object any
		ts.Check(yaml.UnmarshalStrict(doc, &object))
		objects = append(objects, object)
	}
	if diff := cmp.Diff(list.Items, objects); diff != "" {
		ts.Fatalf("objects (-%s +%s):\n%s", args[1], args[0], diff)
	}
}
