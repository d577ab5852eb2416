package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mostExposed is the exposure that systemd-analyze security may find, times ten, of
// 100 for a service without any wall. docs/running.md names it.
const mostExposed = 15

func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not there: install systemd to have the unit tried")
	}
	text, err := os.ReadFile(filepath.Join(systemdDir, "verdict.service"))
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here, and something has to stand in its place.
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "verdict.service")
	sound := strings.ReplaceAll(string(text), "/usr/local/bin/verdict", program)

	t.Run("verify", func(t *testing.T) {
		if out, err := verify(t, unit, sound); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
		if out, _ := verify(t, unit, strings.Replace(sound, "ProtectHome=", "ProtectHouse=", 1)); len(out) == 0 {
			t.Error("a setting that there is not is taken")
		}
	})
	t.Run("security", func(t *testing.T) {
		out, err := security(t, unit, sound)
		if err != nil {
			t.Errorf("it is exposed by more than %d of 100: %v\n%s", mostExposed, err, out)
		}
		if _, err := security(t, unit, strings.Replace(sound, "PrivateDevices=yes\n", "", 1)); err == nil {
			t.Error("with a wall taken away it is no more exposed")
		}
	})
}

func verify(t *testing.T, unit, text string) ([]byte, error) {
	t.Helper()
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
}

func security(t *testing.T, unit, text string) ([]byte, error) {
	t.Helper()
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager",
		"--threshold", strconv.Itoa(mostExposed), unit).CombinedOutput()
}
