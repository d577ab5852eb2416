package deploy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The settings that a chart renders are those of the real server: it serves by them,
// on loopback and from another directory.
func TestServerTakesWhatIsRendered(t *testing.T) {
	verdict := program(t)
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			dir := t.TempDir()
			settings := settingsOf(t, form.chart, form.values)
			settings = strings.NewReplacer(
				"/etc/verdict/policies/", filepath.Join(dir, "policies")+"/",
				"/etc/verdict/bundle", filepath.Join(dir, "policies", "default"),
				"/etc/verdict/tls/", dir+"/",
				"/var/lib/verdict", filepath.Join(dir, "data"),
				"/run/verdict/", dir+"/",
				// Not the name that is known to be loopback, so that the server asks for
				// all that it asks for beyond.
				`:8181`, `LOCALHOST:0`,
				`:8182`, `LOCALHOST:0`,
			).Replace(settings)
			writeFile(t, filepath.Join(dir, "verdict.yaml"), settings)
			for _, tenant := range []string{"default", "work_force"} {
				writeFile(t, filepath.Join(dir, "policies", tenant, "authz.rego"), "package authz\n\nallow := false\n")
			}
			writeCertificate(t, dir)

			address := serve(t, verdict, "--config", filepath.Join(dir, "verdict.yaml"))
			if status := get(t, address, "/readyz"); status != http.StatusOK {
				t.Errorf("it is not ready: %d", status)
			}
			for name, text := range rendered(t, form.chart, form.values) {
				if strings.HasSuffix(name, "deployment.yaml") {
					probe(t, verdict, podOf(t, text), dir)
				}
			}
		})
	}
}

// probe runs what a sidecar's kubelet would run to see whether it is ready.
func probe(t *testing.T, verdict string, pod corev1.PodTemplateSpec, dir string) {
	t.Helper()
	probed := 0
	for _, container := range verdictContainers(t, pod.Spec) {
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe} {
			if probe == nil || probe.Exec == nil {
				continue
			}
			var command []string
			for _, argument := range probe.Exec.Command {
				command = append(command, strings.ReplaceAll(argument, "/run/verdict/", dir+"/"))
			}
			if command[0] != "/verdict" {
				t.Fatalf("%q is not in the image", command[0])
			}
			if out, err := exec.CommandContext(t.Context(), verdict, command[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v\n%s", command, err, out)
			}
			command[3] += ".not"
			if err := exec.CommandContext(t.Context(), verdict, command[1:]...).Run(); err == nil {
				t.Errorf("%q finds a server", command)
			}
			probed++
		}
	}
	if probed == 0 {
		t.Error("nothing probes the sidecar")
	}
}

// What each pod and each machine has to fetch stays small: what a module adds to the
// program is seen here.
func TestProgramIsSmall(t *testing.T) {
	const most = 50e6
	info, err := os.Stat(program(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= most {
		t.Errorf("the program has %d bytes: expected less than %.0f", info.Size(), most)
	}
}

// settingsOf are the settings in what a chart renders.
func settingsOf(t *testing.T, name, values string) string {
	t.Helper()
	files := rendered(t, name, values)
	return decodeTo[*corev1.ConfigMap](t, only(t, files, "configmap.yaml")).Data["verdict.yaml"]
}

// programDir is where the program is built, and goes with the tests.
var programDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "verdict-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// program is the real one, of this repository.
var program = func() func(t *testing.T) string {
	var once sync.Once
	var path string
	var failed error
	return func(t *testing.T) string {
		t.Helper()
		once.Do(func() {
			path = filepath.Join(programDir, "verdict")
			build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, "./cmd/verdict")
			build.Dir = "../.."
			if out, err := build.CombinedOutput(); err != nil {
				failed = errors.New(string(out))
			}
		})
		if failed != nil {
			t.Fatal(failed)
		}
		return path
	}
}()

// serve runs the server until the test ends, when it has to stop by itself, and
// returns its HTTP address.
func serve(t *testing.T, verdict string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, verdict, append([]string{"serve"}, args...)...)
	cmd.Env = append(os.Environ(), "VERDICT_LOG_FORMAT=json", "VERDICT_LOG_LEVEL=info")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	t.Cleanup(func() {
		defer cancel()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		for lines.Scan() {
			// What it has to say is read until it ends.
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ends with %v", err)
		}
	})
	var heard []string
	for lines.Scan() {
		heard = append(heard, lines.Text())
		var line struct{ Msg, HTTP string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			return line.HTTP
		}
	}
	t.Fatalf("it does not serve:\n%s", strings.Join(heard, "\n"))
	return ""
}

func get(t *testing.T, address, path string) int {
	t.Helper()
	scheme, network := "https", "tcp"
	socket, isUnix := strings.CutPrefix(address, "unix://")
	if isUnix {
		scheme, network, address = "http", "unix", "localhost"
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// As the kubelet does, which knows no authority for it.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, to string) (net.Conn, error) {
			if isUnix {
				to = socket
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}}
	answer, err := client.Get(scheme + "://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCertificate writes a certificate for an hour and its key, as a secret of the
// type kubernetes.io/tls has them.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tls.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	writeFile(t, filepath.Join(dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
