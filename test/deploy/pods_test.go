package deploy

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// pods are the pods of all forms, by the form.
func pods(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	all := map[string]corev1.PodTemplateSpec{}
	for _, form := range forms {
		for name, text := range rendered(t, form.chart, form.values) {
			if strings.HasSuffix(name, "statefulset.yaml") || strings.HasSuffix(name, "deployment.yaml") {
				all[form.name] = podOf(t, text)
			}
		}
	}
	if len(all) != len(forms) {
		t.Fatalf("%d of %d forms make a pod", len(all), len(forms))
	}
	return all
}

// verdictContainers are those of a pod that run Verdict.
func verdictContainers(t *testing.T, spec corev1.PodSpec) []corev1.Container {
	t.Helper()
	all := slices.DeleteFunc(slices.Concat(spec.InitContainers, spec.Containers), func(c corev1.Container) bool {
		return !strings.HasPrefix(c.Name, "verdict")
	})
	if len(all) == 0 {
		t.Fatal("no container runs Verdict")
	}
	return all
}

func TestPodsHaveNoPrivilege(t *testing.T) {
	// The strictest of the levels that Kubernetes defines, as its admission checks it.
	standard, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for form, pod := range pods(t) {
		t.Run(form, func(t *testing.T) {
			result := policy.AggregateCheckResults(standard.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
			if !result.Allowed {
				t.Error(result.ForbiddenDetail())
			}
			if mounted := pod.Spec.AutomountServiceAccountToken; mounted == nil || *mounted {
				t.Error("it is given a token of Kubernetes")
			}
			if links := pod.Spec.EnableServiceLinks; links == nil || *links {
				t.Error("services come as environment variables")
			}
			for _, container := range verdictContainers(t, pod.Spec) {
				if readOnly := container.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
					t.Errorf("%s: its root can be written", container.Name)
				}
				if container.Resources.Requests.Memory().IsZero() || container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: its resources are %+v", container.Name, container.Resources)
				}
			}
		})
	}
}

// What a pod writes to is the store, and the sidecar's sockets; what it reads, it can
// only read.
func TestPodsWriteToTheStoreAlone(t *testing.T) {
	written := map[string]bool{"/var/lib/verdict": true, "/run/verdict": true}
	for form, pod := range pods(t) {
		t.Run(form, func(t *testing.T) {
			for _, container := range verdictContainers(t, pod.Spec) {
				var store bool
				for _, mount := range container.VolumeMounts {
					if mount.ReadOnly == written[mount.MountPath] {
						t.Errorf("%s: %s has readOnly %v", container.Name, mount.MountPath, mount.ReadOnly)
					}
					store = store || mount.MountPath == "/var/lib/verdict"
				}
				if !store {
					t.Errorf("%s has no store", container.Name)
				}
			}
		})
	}
}

func TestServiceListensOverTLS(t *testing.T) {
	pod := pods(t)["service"]
	container := verdictContainers(t, pod.Spec)[0]
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	if len(ports) != 2 || ports["grpc"] != 8181 || ports["https"] != 8182 {
		t.Errorf("its ports are %v", ports)
	}
	for name, probe := range map[string]*corev1.Probe{"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
		want := "/healthz"
		if name == "readiness" {
			want = "/readyz"
		}
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Scheme != corev1.URISchemeHTTPS || probe.HTTPGet.Path != want {
			t.Errorf("its %s probe is %v, want one of %s over HTTPS", name, probe, want)
		}
	}
	// A shutdown answers on for 5s, while clients are told to go elsewhere, and has 10s
	// to finish what is in flight.
	if grace := pod.Spec.TerminationGracePeriodSeconds; grace == nil || *grace < 20 {
		t.Errorf("it is killed after %v seconds", grace)
	}
	if settings := settingsOf(t, "verdict", "ci/default-values.yaml"); !strings.Contains(settings, "delay: 5s") {
		t.Errorf("clients are not told before it ends:\n%s", settings)
	}
}

func TestSidecarHasNoPort(t *testing.T) {
	pod := pods(t)["sidecar"]
	containers := verdictContainers(t, pod.Spec)
	if len(containers) != 2 {
		t.Fatalf("%d containers run Verdict, want one that imports and one that serves", len(containers))
	}
	for _, container := range containers {
		if len(container.Ports) != 0 {
			t.Errorf("%s has the ports %v", container.Name, container.Ports)
		}
		if user := container.SecurityContext.RunAsUser; user != nil {
			t.Errorf("%s runs as %d, and not as the application does", container.Name, *user)
		}
	}
	server := containers[1]
	if server.RestartPolicy == nil || *server.RestartPolicy != corev1.ContainerRestartPolicyAlways || server.StartupProbe == nil {
		t.Error("the application does not wait until the server is ready")
	}
	for _, volume := range pod.Spec.Volumes {
		if empty := volume.EmptyDir; empty != nil && empty.SizeLimit.IsZero() {
			t.Errorf("the volume %s has no bound", volume.Name)
		}
	}
}

// Who may reach the service is said in the values, and nobody said is nobody, where a
// rule without a from lets everybody in.
func TestNetworkPolicy(t *testing.T) {
	tests := []struct {
		name, values string
		ingress      int
	}{
		{"pods of the namespace", "{}", 1},
		{"nobody", "networkPolicy: {from: []}", 0},
		{"a namespace", "networkPolicy: {from: [{namespaceSelector: {}}]}", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := chartDir(t, "verdict")
			values := valuesOf(t, dir, "ci/default-values.yaml")
			for name, value := range parse(t, tt.values) {
				values[name] = value
			}
			files, err := render(t, dir, values)
			if err != nil {
				t.Fatal(err)
			}
			text := only(t, files, "networkpolicy.yaml")
			policy := decodeTo[*networkingv1.NetworkPolicy](t, text)
			if len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.Egress) != 0 || len(policy.Spec.Ingress) != tt.ingress {
				t.Errorf("it is %+v", policy.Spec)
			}
			for _, rule := range policy.Spec.Ingress {
				if len(rule.From) == 0 || len(rule.Ports) != 2 {
					t.Errorf("a rule lets in %+v", rule)
				}
			}
		})
	}
}

// A ConfigMap is no place for secrets: what is secret comes as a file of a Secret.
func TestSecretsAreMounted(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			for name, text := range rendered(t, form.chart, form.values) {
				if strings.Contains(text, "kind: Secret") || strings.Contains(text, "PRIVATE KEY") {
					t.Errorf("%s makes a secret of values:\n%s", name, text)
				}
			}
		})
	}
	pod := pods(t)["service"]
	for _, volume := range pod.Spec.Volumes {
		if secret := volume.Secret; secret != nil && (secret.DefaultMode == nil || *secret.DefaultMode&0o007 != 0) {
			t.Errorf("the secret %s can be read by all", secret.SecretName)
		}
	}
}
