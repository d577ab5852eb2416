package deploy

import (
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	"sigs.k8s.io/yaml"
)

// Whatever the charts render, an API server of Kubernetes takes.
func TestKubernetesTakesWhatIsRendered(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			for name, text := range rendered(t, form.chart, form.values) {
				if strings.Contains(name, "servicemonitor") {
					checkServiceMonitor(t, text)
					continue
				}
				object, err := decode(text)
				if err != nil {
					t.Errorf("%s: %v\n%s", name, err, text)
					continue
				}
				for _, err := range validate(t, object) {
					t.Errorf("%s: %v\n%s", name, err, text)
				}
			}
		})
	}
}

// A check that finds nothing in what is wrong would find nothing in the charts.
func TestKubernetesRefusesWhatIsWrong(t *testing.T) {
	text := only(t, rendered(t, "verdict", "ci/default-values.yaml"), "statefulset.yaml")
	tests := []struct{ name, old, new string }{
		{"a field that there is not", "serviceAccountName:", "serviceAcountName:"},
		{"a port's name that there is not", "port: https, scheme: HTTPS}", "port: HTTPS, scheme: https}"},
		{"a selector that selects something else", "matchLabels:\n      app.kubernetes.io/name: verdict", "matchLabels:\n      app.kubernetes.io/name: other"},
		{"a volume that there is not", "name: tls\n              mountPath", "name: tsl\n              mountPath"},
		{"a size that is none", "storage: 10Gi", "storage: much"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(text, tt.old) {
				t.Fatalf("there is no %q in\n%s", tt.old, text)
			}
			object, err := decode(strings.Replace(text, tt.old, tt.new, 1))
			if err == nil && len(validate(t, object)) == 0 {
				t.Error("it is taken")
			}
		})
	}
}

// rendered is what a chart renders with the values of one of its files.
func rendered(t *testing.T, name, values string) map[string]string {
	t.Helper()
	dir := chartDir(t, name)
	files, err := render(t, dir, valuesOf(t, dir, values))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if strings.TrimSpace(text) == "" {
			delete(files, name)
		}
	}
	return files
}

// only is what was rendered from one template.
func only(t *testing.T, files map[string]string, template string) string {
	t.Helper()
	for name, text := range files {
		if strings.HasSuffix(name, "/templates/"+template) {
			return text
		}
	}
	t.Fatalf("nothing is rendered from %s", template)
	return ""
}

// decode reads a manifest as an API server does in its strict mode: a field that there
// is not, or one that stands twice, is an error.
func decode(text string) (runtime.Object, error) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	object, _, err := strict.Decode([]byte(text), nil, nil)
	return object, err
}

func decodeTo[T any](t *testing.T, text string) T {
	t.Helper()
	object, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	typed, is := object.(T)
	if !is {
		t.Fatalf("it is a %T\n%s", object, text)
	}
	return typed
}

// validate gives an object its defaults and returns what an API server would refuse.
func validate(t *testing.T, external runtime.Object) field.ErrorList {
	t.Helper()
	legacyscheme.Scheme.Default(external)
	gvk := external.GetObjectKind().GroupVersionKind()
	internal, err := legacyscheme.Scheme.ConvertToVersion(external, gvk.GroupKind().WithVersion(runtime.APIVersionInternal).GroupVersion())
	if err != nil {
		t.Fatal(err)
	}
	if object, is := internal.(metav1.Object); is {
		object.SetNamespace("default")
	}
	switch object := internal.(type) {
	case *apps.StatefulSet:
		options := pod.GetValidationOptionsFromPodTemplate(&object.Spec.Template, nil)
		return appsvalidation.ValidateStatefulSet(object, appsvalidation.StatefulSetValidationOptions{}, options)
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(object, pod.GetValidationOptionsFromPodTemplate(&object.Spec.Template, nil))
	case *core.Service:
		return corevalidation.ValidateServiceCreate(object)
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(object)
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(object)
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(object, networkingvalidation.NetworkPolicyValidationOptions{})
	case *policy.PodDisruptionBudget:
		return policyvalidation.ValidatePodDisruptionBudget(object, policyvalidation.PodDisruptionBudgetValidationOptions{})
	}
	t.Errorf("nothing validates a %T", internal)
	return nil
}

func checkServiceMonitor(t *testing.T, text string) {
	t.Helper()
	var monitor monitoring.ServiceMonitor
	if err := yaml.UnmarshalStrict([]byte(text), &monitor); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if len(monitor.Spec.Endpoints) != 1 || monitor.Spec.Endpoints[0].Port != "https" || monitor.Spec.Endpoints[0].TLSConfig == nil {
		t.Errorf("the endpoints are %+v", monitor.Spec.Endpoints)
	}
}

// podOf is the pod that a workload makes.
func podOf(t *testing.T, text string) corev1.PodTemplateSpec {
	t.Helper()
	object, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	switch workload := object.(type) {
	case *appsv1.StatefulSet:
		return workload.Spec.Template
	case *appsv1.Deployment:
		return workload.Spec.Template
	}
	t.Fatalf("%T makes no pod", object)
	return corev1.PodTemplateSpec{}
}
