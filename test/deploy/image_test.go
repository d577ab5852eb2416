package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// The image is read by the packages that docker build reads it with.
func TestImage(t *testing.T) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	read, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range read.Warnings {
		t.Errorf("%s", warning.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		t.Errorf("%s: %s", rule, message)
	}})
	stages, _, err := instructions.Parse(read.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 1 || stages[0].BaseName != "scratch" {
		t.Fatalf("it is built from %+v: expected nothing, so that nothing is in it but the program", stages)
	}
	var user, volume string
	for _, command := range stages[0].Commands {
		switch command := command.(type) {
		case *instructions.UserCommand:
			user = command.User
		case *instructions.VolumeCommand:
			volume = strings.Join(command.Volumes, " ")
		case *instructions.RunCommand, *instructions.AddCommand:
			t.Errorf("%s: nothing is run and nothing is fetched", command.Name())
		case *instructions.EntrypointCommand:
			if command.PrependShell {
				t.Error("its entry needs a shell")
			}
		case *instructions.CmdCommand:
			if command.PrependShell {
				t.Error("its command needs a shell")
			}
		}
	}
	// The charts' pods have the same user, and the store at the same place.
	pod := pods(t)["service"]
	if user != "65532:65532" || *pod.Spec.SecurityContext.RunAsUser != 65532 {
		t.Errorf("the image runs as %s, and the pod as %d", user, *pod.Spec.SecurityContext.RunAsUser)
	}
	var mounts []string
	for _, mount := range verdictContainers(t, pod.Spec)[0].VolumeMounts {
		mounts = append(mounts, mount.MountPath)
	}
	if !slices.Contains(mounts, volume) {
		t.Errorf("the store of the image is %s, and the pod mounts %q", volume, mounts)
	}
}

// Where there is a builder that needs no daemon, the image is built and run, with a
// small program in Verdict's place that tells what it finds.
func TestImageIsBuiltAndRun(t *testing.T) {
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Skip("buildah is not there: install it (apt-get install buildah crun) to have the image built")
	}
	files := t.TempDir()
	if err := os.Mkdir(filepath.Join(files, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(files, "linux_"+runtime.GOARCH, "verdict"), "./testdata/inside")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	storage := t.TempDir()
	buildah := func(args ...string) (string, error) {
		flags := []string{"--storage-driver", "vfs", "--root", filepath.Join(storage, "root"), "--runroot", filepath.Join(storage, "run")}
		out, err := exec.CommandContext(t.Context(), "buildah", append(flags, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	out, err := buildah("bud", "--quiet", "--isolation", "chroot", "--tag", "verdict", "--file", dockerfile, files)
	if err != nil {
		t.Skipf("buildah cannot build here: %v\n%s", err, out)
	}
	container, err := buildah("from", "localhost/verdict")
	if err != nil {
		t.Fatalf("%v\n%s", err, container)
	}
	told, err := buildah("run", "--isolation", "chroot", container, "--", "/verdict")
	if err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	want := "file verdict\nuser 65532 65532\nstore /var/lib/verdict true\nelsewhere false false false"
	if told != want {
		t.Errorf("inside it finds\n%s\nwant\n%s", told, want)
	}
}
