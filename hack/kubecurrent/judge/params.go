package judge

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// params holds objects of the kinds that can be parameters.
type params struct {
	mapper    meta.RESTMapper
	factory   informers.SharedInformerFactory
	informers map[schema.GroupVersionKind]informers.GenericInformer
}

// definition is the kind of CustomResourceDefinitions.
var definition = apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")

// newParams learns the kinds of the server, of the definitions, and of the
// objects.
func newParams(factory informers.SharedInformerFactory, objects []*unstructured.Unstructured) (params, error) {
	custom := meta.NewDefaultRESTMapper(nil)
	defined := map[schema.GroupKind]bool{}
	for _, object := range objects {
		if object.GroupVersionKind() != definition {
			continue
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crd); err != nil {
			return params{}, fmt.Errorf("reading CustomResourceDefinition %s: %w", object.GetName(), err)
		}
		scope := meta.RESTScope(meta.RESTScopeNamespace)
		if crd.Spec.Scope == apiextensionsv1.ClusterScoped {
			scope = meta.RESTScopeRoot
		}
		for _, version := range crd.Spec.Versions {
			if !version.Served {
				continue
			}
			group := schema.GroupVersion{Group: crd.Spec.Group, Version: version.Name}
			custom.AddSpecific(group.WithKind(crd.Spec.Names.Kind), group.WithResource(crd.Spec.Names.Plural), group.WithResource(crd.Spec.Names.Singular), scope)
			defined[group.WithKind(crd.Spec.Names.Kind).GroupKind()] = true
		}
	}
	for _, object := range objects {
		kind := object.GroupVersionKind()
		if kind == definition || legacyscheme.Scheme.Recognizes(kind) || defined[kind.GroupKind()] {
			continue
		}
		scope := meta.RESTScope(meta.RESTScopeNamespace)
		if object.GetNamespace() == "" {
			scope = meta.RESTScopeRoot
		}
		custom.Add(kind, scope)
	}
	return params{
		mapper:    meta.MultiRESTMapper{testrestmapper.TestOnlyStaticRESTMapper(legacyscheme.Scheme), custom},
		factory:   factory,
		informers: map[schema.GroupVersionKind]informers.GenericInformer{},
	}, nil
}

// add stores an object, in the form that the informer for its kind has.
func (p params) add(object *unstructured.Unstructured, stored runtime.Object) error {
	kind := object.GroupVersionKind()
	if kind == definition {
		return nil // newParams has read it
	}
	informer, scope, err := p.informer(kind)
	if err != nil {
		return err
	}
	if scope.Name() == meta.RESTScopeNameNamespace && object.GetNamespace() == "" {
		accessor, err := meta.Accessor(stored)
		if err != nil {
			return fmt.Errorf("reading metadata: %w", err)
		}
		accessor.SetNamespace(metav1.NamespaceDefault)
	}
	return informer.Informer().GetIndexer().Update(stored)
}

// informer returns the informer for a kind, with its store, and the kind's scope.
func (p params) informer(kind schema.GroupVersionKind) (informers.GenericInformer, meta.RESTScope, error) {
	mapping, err := p.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		// As the plugin says it (policy_source.go, ensureParamsForPolicyLocked).
		return nil, nil, fmt.Errorf("failed to find resource referenced by paramKind: '%v'", kind)
	}
	if informer := p.informers[kind]; informer != nil {
		return informer, mapping.Scope, nil
	}
	informer, err := p.factory.ForResource(mapping.Resource)
	if err != nil {
		informer = dynamicinformer.NewFilteredDynamicInformer(nil, mapping.Resource, metav1.NamespaceAll, 0,
			cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}, nil)
	}
	p.informers[kind] = filled{informer}
	return p.informers[kind], mapping.Scope, nil
}

// find returns what the plugin needs to look parameters up.
func (p params) find(kind *admissionregistrationv1.ParamKind) (informers.GenericInformer, meta.RESTScope, error) {
	if kind == nil {
		return nil, nil, nil
	}
	version, err := schema.ParseGroupVersion(kind.APIVersion)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse paramKind APIVersion: %w", err)
	}
	return p.informer(version.WithKind(kind.Kind))
}

// filled is an informer that has all it will ever have.
type filled struct{ informers.GenericInformer }

// Informer implements informers.GenericInformer.
func (f filled) Informer() cache.SharedIndexInformer { return synced{f.GenericInformer.Informer()} }

type synced struct{ cache.SharedIndexInformer }

// HasSynced implements cache.SharedIndexInformer.
func (synced) HasSynced() bool { return true }
