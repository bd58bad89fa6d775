package faults

import (
	"net/http"
	"strings"
)

// request is what a client requests, as schedules name it.
type request struct {
	verb     Verb
	resource string
	page     int
}

// parse returns what is requested, without the page.
func parse(r *http.Request) request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return request{verb: Discovery, resource: parts[0]}
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	q := request{resource: parts[0]}
	switch {
	case r.Method != http.MethodGet:
		q.verb = Write
	case len(parts) > 1:
		q.verb = Get
	case r.URL.Query().Get("watch") != "":
		q.verb = Watch
	default:
		q.verb = List
	}
	return q
}

// pages numbers the pages of lists: a token that was seen before is the same page
// again, and any other the page after the last one.
type pages map[string]*pagesOfList

type pagesOfList struct {
	tokens map[string]int
	last   int
}

func (p pages) number(r *http.Request) int {
	// The form matters too: two clients may list the same resource.
	key := r.URL.Path + " " + r.Header.Get("Accept")
	list, ok := p[key]
	token := r.URL.Query().Get("continue")
	if !ok || token == "" {
		list = &pagesOfList{tokens: map[string]int{}, last: 1}
		p[key] = list
		return 1
	}
	if n, seen := list.tokens[token]; seen {
		return n
	}
	list.last++
	list.tokens[token] = list.last
	return list.last
}
