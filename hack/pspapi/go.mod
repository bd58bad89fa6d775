// The advisor's PodSecurityPolicy types beside the last ones that k8s.io/api
// had. A module of its own, since the advisor itself uses a release without
// them: here its types are built with the old one.
module github.com/psp-advisor/psp-advisor/hack/pspapi

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/psp-advisor/psp-advisor v0.0.0
	k8s.io/api v0.37.2
)

require (
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/gogo/protobuf v1.3.2 // indirect
	github.com/google/gofuzz v1.2.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	gopkg.in/inf.v0 v0.9.1 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
	k8s.io/apimachinery v0.37.2 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
	k8s.io/utils v0.0.0-20260626114624-be93311217bd // indirect
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730 // indirect
	sigs.k8s.io/structured-merge-diff/v4 v4.2.3 // indirect
)

replace (
	github.com/psp-advisor/psp-advisor => ../..
	k8s.io/api => k8s.io/api v0.28.15
	k8s.io/apimachinery => k8s.io/apimachinery v0.28.15
)
