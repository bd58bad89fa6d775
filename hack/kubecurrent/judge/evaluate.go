package judge

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/cel/environment"
)

// evaluation gives the values of variables.
type evaluation struct {
	names     []string
	evaluator plugincel.ConditionEvaluator
	hook      validating.PolicyHook // with what finds the parameter
	ref       *admissionregistrationv1.ParamRef
}

func newEvaluation(request Evaluate, c *cluster) (*evaluation, error) {
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "evaluated"},
		Spec:       admissionregistrationv1.ValidatingAdmissionPolicySpec{Variables: request.Variables, ParamKind: request.ParamKind},
	}
	if request.Policy != "" {
		var err error
		if policy, err = c.factory.Admissionregistration().V1().ValidatingAdmissionPolicies().Lister().Get(request.Policy); err != nil {
			return nil, fmt.Errorf("finding the policy to evaluate: %w", err)
		}
	}
	expressions := expressionsOf(policy)
	compiler, err := newMetered(expressions.names)
	if err != nil {
		return nil, err
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	for _, v := range expressions.variables {
		if result := compiler.CompileAndStoreVariable(v, declared, environment.StoredExpressions); result.Error != nil {
			return nil, fmt.Errorf("compiling variable %s: %w", v.GetName(), result.Error)
		}
	}
	e := &evaluation{names: request.Values, ref: request.ParamRef}
	wanted := make([]plugincel.ExpressionAccessor, len(request.Values))
	for i, name := range request.Values {
		variable := &validating.Variable{Name: name, Expression: "variables." + name}
		if result := compiler.CompileCELExpression(variable, declared, environment.StoredExpressions); result.Error != nil {
			return nil, fmt.Errorf("finding variable %s: %w", name, result.Error)
		}
		wanted[i] = variable
	}
	e.evaluator = compiler.CompileCondition(wanted, declared, environment.StoredExpressions)
	e.hook.Policy = policy
	e.hook.ParamInformer, e.hook.ParamScope, err = c.params.find(policy.Spec.ParamKind)
	return e, err
}

// values writes the values for a pod into its verdict.
func (e *evaluation) values(ctx context.Context, c *cluster, r *record) error {
	param, err := e.param(r.GetNamespace())
	if err != nil {
		return err
	}
	namespace, err := c.matcher.GetNamespace(ctx, r.GetNamespace())
	if err != nil {
		return fmt.Errorf("finding the namespace: %w", err)
	}
	attributes, err := admission.NewVersionedAttributes(r, podKind, c.interfaces)
	if err != nil {
		return fmt.Errorf("converting: %w", err)
	}
	results, left, err := e.evaluator.ForInput(ctx, attributes,
		plugincel.CreateAdmissionRequest(r, metav1.GroupVersionResource(podResource), metav1.GroupVersionKind(podKind)),
		plugincel.OptionalVariableBindings{VersionedParams: param, Authorizer: authorizerfactory.NewAlwaysDenyAuthorizer()},
		plugincel.CreateNamespaceObject(namespace), celconfig.RuntimeCELCostBudget)
	if err != nil {
		return fmt.Errorf("evaluating variables: %w", err)
	}
	r.verdict.ValuesCost = celconfig.RuntimeCELCostBudget - left
	r.verdict.Values = map[string]Value{}
	for i, result := range results {
		value := Value{}
		err := result.Error
		if err == nil {
			value.JSON, err = native(result.EvalResult)
		}
		if err != nil {
			value.Error = err.Error()
		}
		r.verdict.Values[e.names[i]] = value
	}
	return nil
}

// param finds the parameter, if there is any.
func (e *evaluation) param(namespace string) (runtime.Object, error) {
	found, err := generic.CollectParams(e.hook.Policy.Spec.ParamKind, e.hook.ParamInformer, e.hook.ParamScope, e.ref, namespace, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("finding the parameter: %w", err)
	}
	if len(found) == 0 || found[0] == nil {
		return nil, nil //nolint:nilnil // CEL sees null
	}
	if len(found) > 1 {
		return nil, errors.New("finding the parameter: there are several")
	}
	param := found[0]
	if param.GetObjectKind().GroupVersionKind().Empty() {
		kind := e.hook.Policy.Spec.ParamKind
		param = param.DeepCopyObject()
		param.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	}
	return param, nil
}

// native turns a CEL value into one that encodes to JSON. An optional value is
// its value, or null.
func native(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.Null:
		return nil, nil //nolint:nilnil // the value null
	case types.Bool, types.Int, types.Uint, types.Double, types.String, types.Bytes:
		return v.Value(), nil
	case *types.Err:
		return nil, v
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil //nolint:nilnil // the value null
		}
		return native(v.GetValue())
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := native(it.Next())
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	}
	text, ok := value.ConvertToType(types.StringType).(types.String)
	if !ok {
		return nil, fmt.Errorf("a value of type %s has no JSON", value.Type())
	}
	return string(text), nil
}

func nativeMap(m traits.Mapper) (any, error) {
	object := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		text, ok := key.ConvertToType(types.StringType).(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of type %s has no JSON", key.Type())
		}
		value, err := native(m.Get(key))
		if err != nil {
			return nil, err
		}
		object[string(text)] = value
	}
	return object, nil
}
