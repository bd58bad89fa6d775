package manifest

import "k8s.io/apimachinery/pkg/runtime/schema"

// templatePaths says where kinds of custom resources keep their pod templates, if
// not at spec.template: * stands for each element of a list or an object, and the
// empty path for an object that is a template itself. Kinds without a path run pods
// that no template describes as a whole. Each is from the types of its project.
var templatePaths = map[schema.GroupKind][]string{
	// argoproj/argo-rollouts, pkg/apis/rollouts/v1alpha1
	{Group: "argoproj.io", Kind: "Experiment"}:       {"spec.templates.*.template"},
	{Group: "argoproj.io", Kind: "AnalysisTemplate"}: {"spec.metrics.*.provider.job.spec.template"},
	{Group: "argoproj.io", Kind: "AnalysisRun"}:      {"spec.metrics.*.provider.job.spec.template"},
	// argoproj/argo-workflows, pkg/apis/workflow
	{Group: "argoproj.io", Kind: "Workflow"}:                {},
	{Group: "argoproj.io", Kind: "WorkflowTemplate"}:        {},
	{Group: "argoproj.io", Kind: "CronWorkflow"}:            {},
	{Group: "argoproj.io", Kind: "ClusterWorkflowTemplate"}: {},
	// knative/serving, pkg/apis/serving/v1
	{Group: "serving.knative.dev", Kind: "Revision"}: {""},
	// openkruise/kruise-api, apps/v1alpha1
	{Group: "apps.kruise.io", Kind: "AdvancedCronJob"}:  {"spec.template.jobTemplate.spec.template", "spec.template.broadcastJobTemplate.spec.template"},
	{Group: "apps.kruise.io", Kind: "UnitedDeployment"}: {"spec.template.*.spec.template"},
	{Group: "apps.kruise.io", Kind: "SidecarSet"}:       {},
	// volcano-sh/apis, pkg/apis/batch/v1alpha1 and pkg/apis/flow/v1alpha1
	{Group: "batch.volcano.sh", Kind: "Job"}:        {"spec.tasks.*.template"},
	{Group: "batch.volcano.sh", Kind: "CronJob"}:    {"spec.jobTemplate.spec.tasks.*.template"},
	{Group: "flow.volcano.sh", Kind: "JobTemplate"}: {"spec.tasks.*.template"},
	// kubernetes-sigs/jobset, api/jobset/v1alpha2
	{Group: "jobset.x-k8s.io", Kind: "JobSet"}: {"spec.replicatedJobs.*.template.spec.template"},
	// kedacore/keda, apis/keda/v1alpha1
	{Group: "keda.sh", Kind: "ScaledJob"}: {"spec.jobTargetRef.template"},
	// kubeflow/training-operator, pkg/apis/kubeflow.org/v1; kubeflow/mpi-operator,
	// pkg/apis/kubeflow/v2beta1
	{Group: "kubeflow.org", Kind: "JAXJob"}:     {"spec.jaxReplicaSpecs.*.template"},
	{Group: "kubeflow.org", Kind: "MPIJob"}:     {"spec.mpiReplicaSpecs.*.template"},
	{Group: "kubeflow.org", Kind: "PaddleJob"}:  {"spec.paddleReplicaSpecs.*.template"},
	{Group: "kubeflow.org", Kind: "PyTorchJob"}: {"spec.pytorchReplicaSpecs.*.template"},
	{Group: "kubeflow.org", Kind: "TFJob"}:      {"spec.tfReplicaSpecs.*.template"},
	{Group: "kubeflow.org", Kind: "XGBoostJob"}: {"spec.xgbReplicaSpecs.*.template"},
	// kubeflow/training-operator, pkg/apis/trainer/v1alpha1
	{Group: "trainer.kubeflow.org", Kind: "TrainingRuntime"}: {"spec.template.spec.replicatedJobs.*.template.spec.template"},
	{Group: "trainer.kubeflow.org", Kind: "TrainJob"}:        {},
	// kubernetes-sigs/lws, api/leaderworkerset/v1
	{Group: "leaderworkerset.x-k8s.io", Kind: "LeaderWorkerSet"}: {"spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"},
	// ray-project/kuberay, ray-operator/apis/ray/v1
	{Group: "ray.io", Kind: "RayCluster"}: {"spec.headGroupSpec.template", "spec.workerGroupSpecs.*.template"},
	{Group: "ray.io", Kind: "RayJob"}:     {"spec.rayClusterSpec.headGroupSpec.template", "spec.rayClusterSpec.workerGroupSpecs.*.template", "spec.submitterPodTemplate"},
	{Group: "ray.io", Kind: "RayService"}: {"spec.rayClusterConfig.headGroupSpec.template", "spec.rayClusterConfig.workerGroupSpecs.*.template"},
	{Group: "ray.io", Kind: "RayCronJob"}: {"spec.jobTemplate.rayClusterSpec.headGroupSpec.template", "spec.jobTemplate.rayClusterSpec.workerGroupSpecs.*.template", "spec.jobTemplate.submitterPodTemplate"},
	// kubeflow/spark-operator, api/v1beta2
	{Group: "sparkoperator.k8s.io", Kind: "SparkApplication"}:          {},
	{Group: "sparkoperator.k8s.io", Kind: "ScheduledSparkApplication"}: {},
	// tektoncd/pipeline, pkg/apis/pipeline/v1
	{Group: "tekton.dev", Kind: "Task"}:        {},
	{Group: "tekton.dev", Kind: "TaskRun"}:     {},
	{Group: "tekton.dev", Kind: "Pipeline"}:    {},
	{Group: "tekton.dev", Kind: "PipelineRun"}: {},
}

// anyKind is where other kinds keep their template: Rollout, CloneSet, Knative's
// Service, DeploymentConfig.
var anyKind = []string{"spec.template"}

// matchers are groups whose objects hold patterns of pods, and run none.
var matchers = []string{"kyverno.io", "policies.kyverno.io"}
