package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// report is the result of a run.
type report struct {
	// machine and kubernetes say where it ran; kubernetes is empty without a real server.
	machine, kubernetes string
	rounds              int
	sections            []*section
	growth              []grown
}

// grown is a section for a number of pods.
type grown struct {
	pods int
	*section
}

// markdown returns the tables. They have no times, which are those of one machine, but
// ratios.
func (r report) markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Medians of %d interleaved rounds on %s", r.rounds, r.machine)
	if r.kubernetes != "" {
		fmt.Fprintf(&text, "; the real API server is Kubernetes %s", r.kubernetes)
	}
	text.WriteString(".\n")
	for _, s := range r.sections {
		if len(s.results) > 0 {
			s.table(&text)
		}
	}
	r.growthTable(&text)
	return text.String()
}

func (s *section) table(text *strings.Builder) {
	fmt.Fprintf(text, "\n### %s\n\n", s.title)
	base := s.results[s.reference]
	served := base.requests > 0
	header, line := "| way | user CPU | wall | peak RSS |", "|---|---|---|---|"
	if served {
		header, line = header+" bytes | requests |", line+"---|---|"
	}
	fmt.Fprintf(text, "%s\n%s\n", header, line)
	for _, w := range s.ways {
		one := s.results[w.name]
		fmt.Fprintf(text, "| %s | %s | %s | %d MiB |", w.name, ratio(one.user, base.user), ratio(one.wall, base.wall), one.peak>>20)
		if served {
			fmt.Fprintf(text, " %s | %s |", ratio(one.bytes, base.bytes), ratio(one.requests, base.requests))
		}
		text.WriteString("\n")
	}
	s.notes(text)
}

// notes has the other figures of a section.
func (s *section) notes(text *strings.Builder) {
	for _, w := range s.ways {
		notes := s.results[w.name].notes
		if len(notes) == 0 {
			continue
		}
		fmt.Fprintf(text, "\n| %s | |\n|---|---|\n", w.name)
		for _, name := range slices.Sorted(maps.Keys(notes)) {
			fmt.Fprintf(text, "| %s | %.4g |\n", name, notes[name])
		}
	}
}

// ratio returns how many times the base a figure is.
func ratio[N ~int64](n, base N) string {
	if base == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(n)/float64(base))
}

// growthTable has a row for each way, and a column for each number of pods.
func (r report) growthTable(text *strings.Builder) {
	var columns []grown
	for _, g := range r.growth {
		if len(g.results) > 0 {
			columns = append(columns, g)
		}
	}
	if len(columns) == 0 {
		return
	}
	text.WriteString("\n### Growth\n\nUser CPU, wall, peak RSS by the number of pods:\n\n| way |")
	for _, g := range columns {
		fmt.Fprintf(text, " %d |", g.pods)
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, w := range columns[0].ways {
		fmt.Fprintf(text, "| %s |", w.name)
		for _, g := range columns {
			one, base := g.results[w.name], g.results[g.reference]
			fmt.Fprintf(text, " %s, %s, %d MiB |", ratio(one.user, base.user), ratio(one.wall, base.wall), one.peak>>20)
		}
		text.WriteString("\n")
	}
}

// The lines between which a document has the tables.
const (
	beginMark = "<!-- begin of what make bench writes -->\n"
	endMark   = "<!-- end of what make bench writes -->\n"
)

// insert writes the tables into a document.
func insert(path, tables string) error {
	data, err := os.ReadFile(path) //nolint:gosec // named by the user
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	before, rest, ok := bytes.Cut(data, []byte(beginMark))
	_, after, ok2 := bytes.Cut(rest, []byte(endMark))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines to write between: %s%s", path, beginMark, endMark)
	}
	text := string(before) + beginMark + "\n" + tables + "\n" + endMark + string(after)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a document
		return fmt.Errorf("writing the document: %w", err)
	}
	return nil
}

// machine describes this machine.
func machine() string {
	value := func(file, name string) string {
		data, _ := os.ReadFile(file) //nolint:gosec // of /proc; it may not exist
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	memory := 0
	_, _ = fmt.Sscanf(value("/proc/meminfo", "MemTotal"), "%d", &memory) // 0, if it is unknown
	return fmt.Sprintf("%s, %d cores, %d GiB of memory, %s, %s", value("/proc/cpuinfo", "model name"), runtime.NumCPU(), (memory+1<<19)>>20, runtime.GOOS, runtime.Version())
}
