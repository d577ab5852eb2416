package closure_test

import (
	"testing"

	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

func TestConformance(t *testing.T) { evaltest.Run(t, closure.New()) }
