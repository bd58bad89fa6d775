package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// runner keeps what all tasks found.
type runner struct {
	options
	mu     sync.Mutex
	suites map[string]*tally
	// steps has how often each kind of step was judged.
	steps           map[string]int
	refused, unread []string
	shown           int
	costs           costs
}

// tally sums the results of one suite at one level.
type tally struct {
	result
	cases, failed int
	kinds         map[string]int
}

func (r *runner) print(title string, faults map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Println(title)
	for _, kind := range sorted(faults) {
		fault := []rune(kind + ": " + strings.Join(strings.Fields(faults[kind]), " "))
		fmt.Printf("  %s\n", string(fault[:min(len(fault), 1000)]))
	}
}

func (r *runner) count(suite, level string, found result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprintf("%-12s %-15s", suite, level)
	t := r.suites[key]
	if t == nil {
		t = &tally{kinds: map[string]int{}}
		r.suites[key] = t
	}
	t.cases++
	t.pods += found.pods
	t.wider += found.wider
	t.tighter += found.tighter
	t.lines += found.lines
	t.removals += found.removals
	t.invalid += found.invalid
	t.uncompared += found.uncompared
	if len(found.faults) > 0 {
		t.failed++
	}
	for kind := range found.faults {
		t.kinds[kind]++
	}
	for step, n := range found.steps {
		r.steps[step] += n
	}
	r.costs.max(found.costs)
}

// finish counts a part of the run that is no fixture, and prints its faults.
func (r *runner) finish(suite, level, name string, found result) error {
	r.count(suite, level, found)
	if len(found.faults) == 0 {
		return nil
	}
	r.print("FAIL "+name, found.faults)
	if r.fast {
		return errFaults
	}
	return nil
}

// report prints the table of all suites, and fails if one of them did.
func (r *runner) report(took time.Duration) error {
	list("objects that 1.37 refuses without any policy, neither observed nor judged", r.refused)
	list("objects that only the advisor refuses, not judged", r.unread)
	fmt.Printf("%-28s %6s %6s %7s %7s %7s %7s %7s %8s\n", "suite, level", "cases", "failed", "pods", "wider", "tighter", "lines", "removed", "invalid")
	failed := false
	for _, key := range sorted(r.suites) {
		t := r.suites[key]
		fmt.Printf("%s %6d %6d %7d %7d %7d %7d %7d %8d\n", key, t.cases, t.failed, t.pods, t.wider, t.tighter, t.lines, t.removals, t.invalid)
		if t.uncompared > 0 {
			fmt.Printf("    %d pods ask for too much to be compared with their permits, and were told so\n", t.uncompared)
		}
		for _, kind := range sorted(t.kinds) {
			failed = true
			fmt.Printf("    %s in %d cases\n", kind, t.kinds[kind])
		}
	}
	fmt.Println(r.costs)
	least := slices.Sorted(maps.Values(r.steps))
	for _, s := range slices.Concat(wider(), debugging(), tighter()) {
		if r.steps[s.name] == 0 {
			failed = true
			fmt.Printf("FAIL the steps\n  never judged: %s\n", s.name)
		}
	}
	fmt.Printf("%d kinds of steps, each judged %d times or more\n", len(wider())+len(debugging())+len(tighter()), least[0])
	fmt.Printf("took %s\n", took.Round(time.Millisecond))
	if failed {
		return errFaults
	}
	return nil
}

// list prints the first few of a list.
func list(title string, items []string) {
	const few = 10
	slices.Sort(items)
	for i, item := range items {
		if i == 0 {
			fmt.Printf("%s: %d\n", title, len(items))
		}
		if i == few {
			fmt.Printf("  and %d more\n", len(items)-few)
			return
		}
		line := strings.Join(strings.Fields(item), " ")
		fmt.Printf("  %s\n", line[:min(len(line), 200)])
	}
}
