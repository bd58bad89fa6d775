package image

import (
	"context"
	"sync"
)

// atOnce is how many images are read at the same time.
const atOnce = 8

// ReadAll reads images at the same time, and returns the facts of those that could be
// read and the errors of the others, by their names.
func (r *Reader) ReadAll(ctx context.Context, images []string) (map[string]Facts, map[string]error) {
	facts, errs := map[string]Facts{}, map[string]error{}
	var mu sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, image := range images {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			f, err := r.Read(ctx, image)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[image] = err
			} else {
				facts[image] = f
			}
		})
	}
	group.Wait()
	return facts, errs
}
