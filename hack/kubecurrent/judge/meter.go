package judge

import (
	"context"
	"errors"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// meter adds up what the programs of a policy cost in one evaluation, which the
// plugin keeps to itself.
type meter struct {
	Cost
	// errs has the errors of the expressions that failed.
	errs map[string]error
	// limited: an expression was stopped at its limit.
	limited bool
}

// meterKey is the key of the meter in a context.
type meterKey struct{}

func withMeter(ctx context.Context, m *meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// metered compiles expressions to programs that report to the meter of the
// context in which they run.
type metered struct {
	plugincel.Compiler
	names map[plugincel.ExpressionAccessor]string
}

// CompileCELExpression implements plugincel.Compiler.
func (m metered) CompileCELExpression(expression plugincel.ExpressionAccessor, options plugincel.OptionalVariableDeclarations, mode environment.Type) plugincel.CompilationResult {
	result := m.Compiler.CompileCELExpression(expression, options, mode)
	if result.Program != nil {
		result.Program = program{Program: result.Program, name: m.names[expression]}
	}
	return result
}

// CompileCondition implements plugincel.ConditionCompiler; the server's own has
// the same body.
func (m metered) CompileCondition(expressions []plugincel.ExpressionAccessor, options plugincel.OptionalVariableDeclarations, mode environment.Type) plugincel.ConditionEvaluator {
	results := make([]plugincel.CompilationResult, len(expressions))
	for i, expression := range expressions {
		if expression != nil {
			results[i] = m.CompileCELExpression(expression, options, mode)
		}
	}
	return plugincel.NewCondition(results)
}

// program reports what it costs.
type program struct {
	cel.Program
	name string
}

// ContextEval implements cel.Program.
func (p program) ContextEval(ctx context.Context, input any) (ref.Val, *cel.EvalDetails, error) {
	value, details, err := p.Program.ContextEval(ctx, input)
	if m, ok := ctx.Value(meterKey{}).(*meter); ok {
		m.read(p.name, details, err)
	}
	return value, details, err
}

func (m *meter) read(name string, details *cel.EvalDetails, err error) {
	if details != nil && details.ActualCost() != nil {
		cost := *details.ActualCost()
		m.Total += cost
		if cost > m.Worst {
			m.Worst, m.Expression = cost, name
		}
	}
	if err == nil {
		return
	}
	if m.errs == nil {
		m.errs = map[string]error{}
	}
	m.errs[name] = err
	if cancelled := (interpreter.EvalCancelledError{}); errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		m.limited = true
	}
}
