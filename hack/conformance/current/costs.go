package main

import "fmt"

// costs are the worst costs of evaluations, in CEL's units.
type costs struct {
	// expression is the worst of one expression, of which a server allows 1,000,000, and
	// total that of a policy, of which it allows 10,000,000.
	expression, total cost
}

type cost struct {
	units uint64
	where string
}

func (c *cost) max(o cost) {
	if o.units > c.units {
		*c = o
	}
}

func (c *costs) add(v verdict) {
	for _, own := range v.Costs {
		c.expression.max(cost{own.Worst, own.Expression + " of " + v.ID})
		c.total.max(cost{own.Total, v.ID})
	}
}

func (c *costs) max(o costs) {
	c.expression.max(o.expression)
	c.total.max(o.total)
}

func (c costs) String() string {
	return fmt.Sprintf("worst expression %d of 1000000 (%s), worst policy %d of 10000000 (%s)", c.expression.units, c.expression.where, c.total.units, c.total.where)
}
